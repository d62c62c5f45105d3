"""A study's sources: found, or pre-trained here, and always scratch."""

from __future__ import annotations

import time

from translearn.cluster.console import board, say
from translearn.cluster.resources import Resources
from translearn.cluster.train import train_jobs
from translearn.cluster.worker import Job, Task
from translearn.data.dataset import Dataset
from translearn.data.decode import decode_split
from translearn.fine_tune import Recipe
from translearn.models.model_dir import MARKER, TaskErrors
from translearn.sources import Source, from_model_dir, obtain, scratch
from translearn.spec import SourceSpec, StudySpec, TrainSpec
from translearn.storage import Folder
from translearn.study.data import dataset_of, decode, ingest_options, limits
from translearn.study.directory import SOURCES
from translearn.study.models import check_trained, error_of, load, model_info, publish
from translearn.study.tables import SOURCE_SCHEMA, table


def obtain_sources(spec: StudySpec, folder: Folder, resources: Resources, only: str | None = None) -> dict[str, Source]:
    """Every source by name, scratch last; those to be pre-trained are, unless they were.

    Leaves ``sources.parquet`` and, of each pre-trained source, ``sources/<name>/`` in the study's directory.

    Args:
        spec: The study.
        folder: Its directory.
        resources: The layout for pre-training.
        only: The name of the one source wanted.
    """
    rows, sources = [], {}
    for candidate in spec.sources:
        if only in (None, candidate.name):
            started = time.monotonic()
            sources[candidate.name] = _obtain(candidate, spec, folder, resources)
            rows.append(_row(sources[candidate.name], time.monotonic() - started))
    if only is None:
        baselines = {name: scratch(arch, name) for arch in spec.archs for name in [spec.scratch_name(arch)]}
        if not folder.exists(SOURCES):
            rows += [_row(baseline, 0.0) for baseline in baselines.values()]
            folder.write_table(SOURCES, table(rows, SOURCE_SCHEMA))
        sources |= baselines
    return sources


def source_dataset(source: SourceSpec, folder: Folder) -> Dataset | None:
    """The data set that a source was pre-trained on in this study; None for other sources."""
    if source.pretrain is None:
        return None
    options = ingest_options(source.pretrain.ingest)
    return dataset_of(source.pretrain.data, options, folder / "data" / f"source-{source.name}")


def _obtain(source: SourceSpec, spec: StudySpec, folder: Folder, resources: Resources) -> Source:
    if source.pretrain is None:
        return obtain(source)
    out = folder / "sources"
    if not (out / source.name).exists(MARKER):
        _pretrain(source, spec, folder, resources)
    return from_model_dir(source.name, out / source.name, arch=source.arch)


def _pretrain(source: SourceSpec, spec: StudySpec, folder: Folder, resources: Resources) -> None:
    assert source.pretrain
    dataset = source_dataset(source, folder)
    assert dataset
    out, epochs = folder / "sources", source.pretrain.epochs
    say(f"pre-training {source.name}: {source.arch} on {source.pretrain.data}, {epochs} epochs")
    bounds = limits(source.pretrain.ingest)
    splits = decode(dataset, spec.target.image_size, bounds, spec.seed)
    classes = dataset.manifest.classes
    info = model_info(
        source.arch, classes, spec, {"data": source.pretrain.data, "fingerprint": dataset.manifest.fingerprint}
    )
    recipe = Recipe(0, source.pretrain.lr, epochs, spec.seed, _train_spec(source, spec))
    task = Task(splits.train, splits.val, len(classes), {source.name: scratch(source.arch, source.name)})
    job = Job(f"{source.name}.unfinished", source.name, recipe, info)
    with board("pre-training", 1, epochs) as shown:
        train_jobs([job], task, out, resources, spec.cluster.checkpoint_interval_s, shown.follow)
    check_trained(out / job.run, shown.reason)
    test = decode_split(dataset, "test", spec.target.image_size, bounds.other, spec.seed)
    model = load(out / job.run)
    errors = TaskErrors(
        validation=error_of(model, splits.val, spec, resources), test=error_of(model, test, spec, resources)
    )
    publish(out / job.run, out / source.name, errors)
    (out / job.run).remove()


def _train_spec(source: SourceSpec, spec: StudySpec) -> TrainSpec:
    assert source.pretrain
    own = {"batch_size": source.pretrain.batch_size, "augment": source.pretrain.augment}
    return spec.train.model_copy(update={name: value for name, value in own.items() if value is not None})


def _row(source: Source, seconds: float) -> dict[str, object]:
    return {
        "name": source.name,
        "arch": source.arch,
        "kind": source.kind,
        "num_classes": len(source.classes) if source.classes else None,
        "source_error": source.source_error,
        "fingerprint": source.fingerprint,
        "seconds": seconds,
    }
