"""What a study would do, checked and estimated before it does it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from translearn.cluster.data.placed import measure_room
from translearn.cluster.data.shared import Task, share
from translearn.cluster.resources import Resources
from translearn.cluster.tracking.connections import tracker_faults
from translearn.cluster.training.layout import lay_out
from translearn.cluster.training.step_time import step_seconds
from translearn.cluster.training.worker import Job
from translearn.config import IngestSpec, SourceSpec, StudySpec
from translearn.data.batches import num_steps
from translearn.data.damage import damaged_shards
from translearn.data.dataset import open_dataset
from translearn.data.images.image_set import ImageSet
from translearn.data.images.placement import choose_place
from translearn.data.ingest.plan import plan_ingest
from translearn.data.manifest import MANIFEST
from translearn.errors import DataError, TranslearnError, raise_faults
from translearn.models.sources import check_sources, scratch
from translearn.seeds import generator
from translearn.storage.folder import Folder
from translearn.study.data import ingest_options, is_ingested, limits, num_sets
from translearn.study.directory import changes, nearest
from translearn.training.config import TrainConfig

_STEPS, _BATCH_SIZE = 3, 16


@dataclass(frozen=True)
class Size:
    """How many classes, training and validation images a data set has, within the study's limits."""

    num_classes: int
    num_train: int
    num_val: int = 0


def check_study(spec: StudySpec) -> dict[str, Size]:
    """Checks data, weights, storage and trackers; nothing is trained, and images are not decoded yet.

    Returns:
        The size of the target's data set and of those of sources that are at hand, by ``target`` or the source's name.

    Raises:
        TranslearnError: Holds every fault, a line each.
    """
    faults = check_sources([source for source in spec.sources if source.pretrain is None])
    sizes: dict[str, Size] = {}
    bounds = limits(spec.target.ingest, spec.target.train_per_class)
    wanted = [("target", spec.target.data, spec.target.ingest, bounds.train)]
    wanted += [
        (source.name, *source.own_data, source.own_data[1].limit_per_class)
        for source in spec.sources
        if source.own_data
    ]
    for name, data, ingest, per_class in wanted:
        try:
            sizes[name] = _size(data, ingest, per_class)
        except TranslearnError as error:
            faults += [f"{name}: {line}" for line in str(error).splitlines()]
    faults += _storage_faults(spec) + tracker_faults(spec)
    raise_faults(faults)
    raise_faults(_shard_faults(spec), DataError)
    return sizes


def _shard_faults(spec: StudySpec) -> list[str]:
    """A line for each damaged file of the data sets that there are: the user's, and those that the study made."""
    own = Folder.open(spec.storage) / spec.name / "data"
    given = [spec.target.data, *(source.own_data[0] for source in spec.sources if source.own_data)]
    made = [folder for folder in (own / name for name in own.names()) if folder.exists(MANIFEST)]
    found = [Folder.open(data) for data in dict.fromkeys(given) if is_ingested(data)] + made
    return [line for folder in found for line in damaged_shards(open_dataset(folder))]


def _size(data: str, ingest: IngestSpec, per_class: int | None) -> Size:
    counts = _ingested_counts(data) if is_ingested(data) else _planned_counts(data, ingest)
    train, val = counts["train"], counts["val"]
    return Size(len(train), _limited(train, per_class), _limited(val, ingest.limit_per_class))


def _ingested_counts(data: str) -> dict[str, list[int]]:
    return {split: list(classes.values()) for split, classes in open_dataset(data).manifest.counts.items()}


def _planned_counts(data: str, ingest: IngestSpec) -> dict[str, list[int]]:
    plan = plan_ingest(data, ingest_options(ingest))
    splits = np.array(plan.listing["split"].to_pylist())
    labels = {split: plan.listing.filter(splits == split)["label"].drop_null() for split in ("train", "val")}
    return {split: np.bincount(found, minlength=len(plan.classes)).tolist() for split, found in labels.items()}


def _limited(counts: list[int], per_class: int | None) -> int:
    return sum(count if per_class is None else min(count, per_class) for count in counts)


def _storage_faults(spec: StudySpec) -> list[str]:
    try:
        nearest(spec.storage).check_writable()
        return changes(Folder.open(spec.storage) / spec.name, spec)
    except TranslearnError as error:
        return [f"storage: {error}"]


def plan_lines(spec: StudySpec, sizes: dict[str, Size], resources: Resources) -> list[str]:
    """The plan for people: what runs where, how many steps, and about how long, from a few measured steps."""
    target = sizes["target"]
    steps = num_steps(target.num_train, spec.train.batch_size)
    seconds = {arch: _step_seconds(spec, arch, target, resources) for arch in spec.archs}
    slowest = max(seconds.values())
    trial_s = spec.search.epochs * steps * slowest
    search_s = spec.search.trials * trial_s / resources.concurrent_trials
    refit_epochs, num_refits = spec.refit.epochs or spec.search.epochs, _num_refits(spec)
    refits = lay_out(resources, num_refits, lambda: slowest)
    refit_s = refits.seconds(num_refits, refit_epochs * steps * slowest)
    trial_workers = _workers(str(resources.workers_per_trial), resources.cpus, resources.gpus)
    lines = [
        f"target: {spec.target.data}, {target.num_classes} classes, {target.num_train} training images",
        f"search: {spec.search.trials} trials of at most {spec.search.epochs} epochs of {steps} steps, "
        f"{resources.concurrent_trials} at once, {trial_workers} a trial: at most {_duration(search_s)}",
        f"refit: up to {num_refits} runs of {refit_epochs} epochs, {refits}: at most {_duration(refit_s)}",
    ]
    lines[2:2] = _scheduler_lines(spec)
    return [lines[0], _images_line(spec, target), *_pretrain_lines(spec, sizes, seconds, resources), *lines[1:]]


def _num_refits(spec: StudySpec) -> int:
    """The most runs of the refit; one with fewer labels has more epochs, but as many steps."""
    refit = spec.refit
    archs = min(refit.candidates, len(spec.archs))
    found = refit.candidates + archs * (refit.candidates + 1)  # with transfer; from scratch, and the probe
    depths = max(len(spec.freeze_depths(arch)) for arch in spec.archs) if refit.forgetting else 0
    return found * refit.seeds + 2 * len(set(refit.label_fractions)) * refit.label_seeds + depths


def _scheduler_lines(spec: StudySpec) -> list[str]:
    search = spec.search
    if search.scheduler != "asha":
        return []
    rungs = [search.first_rung * search.reduction_factor**index for index in range(search.epochs)]
    at = ", ".join(str(rung) for rung in rungs if rung < search.epochs)
    return [f"asha: the best 1/{search.reduction_factor} go on after {at} epochs"] if at else []


def _images_line(spec: StudySpec, target: Size) -> str:
    num_bytes = (target.num_train + target.num_val) * 3 * spec.target.image_size**2
    return choose_place(num_bytes, measure_room(), spec.target.images, num_sets(spec)).why


def _pretrain_lines(
    spec: StudySpec, sizes: dict[str, Size], seconds: dict[str, float], resources: Resources
) -> list[str]:
    lines = [_pretrain_line(source, spec, sizes, seconds) for source in spec.sources if source.pretrain]
    if not lines:
        return []
    return [*lines, f"pre-training: {lay_out(resources, len(lines), lambda: max(seconds.values()))}"]


def _pretrain_line(source: SourceSpec, spec: StudySpec, sizes: dict[str, Size], seconds: dict[str, float]) -> str:
    assert source.pretrain
    batch_size = source.pretrain.batch_size or spec.train.batch_size
    steps = num_steps(sizes[source.name].num_train, batch_size)
    per_step = seconds[source.arch] * batch_size / spec.train.batch_size
    whole = _duration(source.pretrain.epochs * steps * per_step)
    return f"pre-train {source.name}: {source.pretrain.epochs} epochs of {steps} steps: about {whole} on one worker"


def _step_seconds(spec: StudySpec, arch: str, target: Size, resources: Resources) -> float:
    """Seconds of a step of a full fine-tune, measured on a worker on small batches of noise."""
    batch_size = min(spec.train.batch_size, _BATCH_SIZE)
    size, num = spec.target.image_size, batch_size * _STEPS
    noise = generator(0, "plan").integers(0, 256, (num, size, size, 3), dtype=np.uint8)
    images = ImageSet(noise, np.arange(num) % target.num_classes, np.arange(num, dtype=np.uint64))
    task = share(Task(images, images.take(np.arange(1)), target.num_classes, {"scratch": scratch(arch)}))
    train = spec.train.model_copy(update={"clip_norm": 1.0, "batch_size": batch_size})
    job = Job("plan", task, "scratch", TrainConfig(0, 1e-4, 2, 0, train))
    return step_seconds(job, resources) / batch_size * spec.train.batch_size


def _workers(num: str, cpus: int, gpus: float) -> str:
    each = f"{cpus} CPU{'s' if cpus > 1 else ''}" + (f" and {gpus:g} GPU" if gpus else "")
    return f"{num} worker{'' if num == '1' else 's'} of {each}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
