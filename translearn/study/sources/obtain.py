"""A study's sources: found, or pre-trained here, and always scratch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from translearn.cluster.data.piped import is_piped, piped
from translearn.cluster.data.placed import place_images, remove_images
from translearn.cluster.data.shared import Task, fetch, share
from translearn.cluster.resources import Resources
from translearn.cluster.tracking.console import board, say
from translearn.cluster.tracking.trackers import run_tracker
from translearn.cluster.training.runs import train_jobs
from translearn.cluster.training.worker import CURVE, Job
from translearn.config import SourceSpec, StudySpec, TrainSpec
from translearn.data.dataset import Dataset
from translearn.data.images.decode import select_split
from translearn.errors import WeightsError, fault, raise_faults
from translearn.models.model_info import MARKER
from translearn.models.sources import Source, from_model_dir, obtain, scratch
from translearn.storage.folder import Folder
from translearn.study.datasets.names import ingest_options, limits
from translearn.study.datasets.prepare import dataset_of, decode, num_sets
from translearn.study.directory import SOURCES
from translearn.study.models import check_trained, model_info
from translearn.study.planning.budget import pretrain_batch_size
from translearn.study.sources.errors import absurd_line, measured_errors
from translearn.study.tables import SOURCE_SCHEMA, table
from translearn.training.config import TrainConfig


def obtain_sources(spec: StudySpec, folder: Folder, resources: Resources, only: str | None = None) -> dict[str, Source]:
    """Every source by name, scratch last; those to be pre-trained are, unless they were.

    Leaves ``sources/<name>/`` for each pre-trained source and, unless ``only`` is given, ``sources.parquet``.

    Args:
        spec: The study.
        folder: Its directory.
        resources: The layout for pre-training.
        only: The name of the one source wanted.
    """
    wanted = [source for source in spec.sources if only in (None, source.name)]
    # What can be missing is looked for before anything is trained.
    found = {source.name: obtain(source) for source in wanted if not source.pretrain}
    _pretrain([source for source in wanted if source.pretrain], spec, folder, resources)
    sources = {source.name: found.get(source.name) or _pretrained(source, folder) for source in wanted}
    raise_faults(_replaced(sources, folder), WeightsError)
    for source in found.values():
        if source.notes:
            say(f"{source.name}: {'; '.join(source.notes)}")
    if only is None:
        sources = _with_errors(sources, spec, folder, resources)
        sources |= {name: scratch(arch, name) for arch in spec.archs for name in [spec.scratch_name(arch)]}
        if not folder.exists(SOURCES):
            folder.write_table(SOURCES, table([_row(source, folder) for source in sources.values()], SOURCE_SCHEMA))
    return sources


def _with_errors(
    sources: dict[str, Source], spec: StudySpec, folder: Folder, resources: Resources
) -> dict[str, Source]:
    """Return the sources with their errors: those that their makers report, else as measured here, once a study."""
    if folder.exists(SOURCES):
        known = {row["name"]: row["source_error"] for row in folder.read_table(SOURCES).to_pylist()}
        return {name: replace(source, source_error=known[name]) for name, source in sources.items()}
    given = {source.name: source_dataset(source, folder) for source in spec.sources if source.data}
    datasets = {name: dataset for name, dataset in given.items() if dataset}
    errors = measured_errors(sources, datasets, spec, resources)
    for name, error in errors.items():
        say(f"{name}: {100 * error.value:.1f} % error on {error.num_examples} images of its own data")
        if error.is_absurd:
            say(absurd_line(name, error))
    missing = {name: error.value for name, error in errors.items() if sources[name].source_error is None}
    return sources | {name: replace(sources[name], source_error=error) for name, error in missing.items()}


def _replaced(sources: dict[str, Source], folder: Folder) -> list[str]:
    """Return a line for each source whose weights are not those that this study began with."""
    if not folder.exists(SOURCES):
        return []
    old = {row["name"]: row["fingerprint"] for row in folder.read_table(SOURCES).to_pylist()}
    return [
        fault(
            f"sources.{name}",
            f"must keep the weights that this study began with ({old[name][:12]})",
            str(source.fingerprint)[:12],
            "Put the old file back, or start a study of another name.",
        )
        for name, source in sources.items()
        if old.get(name) not in (None, source.fingerprint)
    ]


def source_dataset(source: SourceSpec, folder: Folder) -> Dataset | None:
    """Return the data set that a source was trained on; None where it is not at hand."""
    if source.own_data is None:
        return None
    data, ingest = source.own_data
    return dataset_of(data, ingest_options(ingest), folder / "data" / f"source-{source.name}")


def pretrain_curves(spec: StudySpec, folder: Folder) -> list[dict[str, Any]]:
    """Return the rows of the sources' pre-training in ``curves.parquet``."""
    return [
        {**row, "stage": "pretrain", "run": source.name}
        for source in spec.sources
        if source.pretrain
        for row in (folder / "sources" / source.name).read_table(CURVE).to_pylist()
    ]


def _pretrained(source: SourceSpec, folder: Folder) -> Source:
    return from_model_dir(source.name, folder / "sources" / source.name, arch=source.arch)


def _pretrain(sources: list[SourceSpec], spec: StudySpec, folder: Folder, resources: Resources) -> None:
    out = folder / "sources"
    todo = [source for source in sources if not (out / source.name).exists(MARKER)]
    if not todo:
        return
    jobs = [_job(source, spec, folder) for source in todo]
    say(f"pre-training {', '.join(job.run for job in jobs)}")
    try:
        with board("pre-training", len(jobs), max(job.config.epochs for job in jobs), spec.name) as shown:
            for job in jobs:
                shown.expect(job.run)
            spare = any(is_piped(fetch(job.task).train) for job in jobs)
            followers = (shown.follow, run_tracker(spec, "pretrain", jobs))
            train_jobs(jobs, out, resources, spec.cluster.checkpoint_interval_s, followers, spare)
    finally:
        tasks = [fetch(job.task) for job in jobs]
        remove_images(images for task in tasks for images in (task.train, task.val, task.test) if images)
    for job in jobs:
        check_trained(out / job.run)


def _job(source: SourceSpec, spec: StudySpec, folder: Folder) -> Job:
    assert source.pretrain
    dataset = source_dataset(source, folder)
    assert dataset
    size, bounds, classes = spec.target.image_size, limits(source.pretrain.ingest), dataset.manifest.classes
    splits = decode(dataset, size, bounds, spec.seed, source.pretrain.images, num_sets(spec))
    test = place_images(select_split(dataset, "test", size, bounds.other, spec.seed), splits.placement.place)
    baseline = {source.name: scratch(source.arch, source.name)}
    task = share(Task(piped(splits.train), splits.val, len(classes), baseline, test))
    config = TrainConfig(
        0, source.pretrain.lr, source.pretrain.epochs, spec.seed, _train_spec(source, spec, len(splits.train))
    )
    origin = {
        "data": source.pretrain.data,
        "data_fingerprint": dataset.manifest.fingerprint,
        "lr": config.lr,
        "weight_decay": config.train.weight_decay,
        "epochs": config.epochs,
    }
    return Job(source.name, task, source.name, config, model_info(source.arch, dataset, spec, origin))


def _train_spec(source: SourceSpec, spec: StudySpec, num_train: int) -> TrainSpec:
    assert source.pretrain
    batch_size, augment = pretrain_batch_size(source, spec, num_train), source.pretrain.augment or spec.train.augment
    return spec.train.model_copy(update={"batch_size": batch_size, "augment": augment})


def _row(source: Source, folder: Folder) -> dict[str, object]:
    trained = folder / "sources" / source.name
    epochs = trained.read_table(CURVE).to_pylist() if source.kind == "pretrain" else []
    return {
        "name": source.name,
        "arch": source.arch,
        "kind": source.kind,
        "num_classes": len(source.classes) if source.classes else None,
        "source_error": source.source_error,
        "fingerprint": source.fingerprint,
        "seconds": sum(row["seconds"] for row in epochs),
    }
