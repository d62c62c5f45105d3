"""The plan of a study for people: what runs where, how many steps, and about how long."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from translearn.cluster.data.placed import measure_room
from translearn.cluster.data.shared import Task, share
from translearn.cluster.resources import Resources
from translearn.cluster.training.layout import lay_out
from translearn.cluster.training.step_time import step_seconds
from translearn.cluster.training.worker import Job
from translearn.config import SourceSpec, StudySpec
from translearn.config.duration import in_words
from translearn.data.batches import num_steps
from translearn.data.images.image_set import ImageSet
from translearn.data.images.placement import choose_place
from translearn.models.backbones.stages import freeze_depths
from translearn.models.sources import scratch
from translearn.ranking.first_configurations import LEAST_OF_SCRATCH, num_baselines, scratch_trials
from translearn.seeds import generator
from translearn.study.datasets.prepare import num_sets
from translearn.study.planning.budget import budget_of, few_steps, pretrain_batch_size, with_budget
from translearn.study.planning.costs import Costs, num_refits, rungs
from translearn.study.planning.look import Size
from translearn.study.planning.time_plan import planned, time_lines
from translearn.study.refits.convergence import lengths
from translearn.training.config import TrainConfig
from translearn.words import plural

_STEPS, _BATCH_SIZE = 3, 16


def measured_costs(spec: StudySpec, sizes: Mapping[str, Size], resources: Resources) -> Costs:
    """Measure a few steps of each architecture of a study, ``auto`` included, on a worker."""
    budgeted, target = with_budget(spec, sizes["target"].num_train), sizes["target"]
    seconds = {arch: _image_seconds(budgeted, arch, target, resources) for arch in spec.archs}
    return Costs(seconds, sizes, resources)


def plan_lines(spec: StudySpec, sizes: dict[str, Size], resources: Resources) -> list[str]:
    """Return the plan, from a few measured steps of each architecture, with warnings of too few steps or trials.

    Raises:
        InputError: The study cannot be done within its ``time_budget_s``.
    """
    target, given, costs = sizes["target"], spec, measured_costs(spec, sizes, resources)
    spec = planned(given, costs)
    return [
        f"target: {spec.target.data}, {target.num_classes} classes, {target.num_train} training images",
        _images_line(spec, target),
        _budget_line(spec, target.num_train),
        *(f"warning: {line}" for line in few_steps(spec, target.num_train)),
        *_pretrain_lines(given, costs),
        _search_line(spec, costs),
        _space_line(spec),
        _baseline_line(spec, costs),
        *_scheduler_lines(spec),
        *_refit_lines(spec, costs),
        *time_lines(given, spec, costs),
    ]


def _budget_line(spec: StudySpec, num_train: int) -> str:
    found = budget_of(spec, num_train)
    steps = found["steps_per_epoch"]
    a_trial, enough = found["search_epochs"] * steps, found["enough_steps"]
    each = f"{steps} steps an epoch, {a_trial} a trial, {found['refit_steps']} a refit"
    return f"budget: batches of {found['batch_size']} images, {each}; {enough} are enough for so many images"


def _search_line(spec: StudySpec, costs: Costs) -> str:
    resources = costs.resources
    workers = _workers(str(resources.workers_per_trial), resources.cpus, resources.gpus)
    return (
        f"search: {plural(spec.search.trials, 'trial')} of at most {plural(spec.search.epochs, 'epoch')} of "
        f"{num_steps(costs.sizes['target'].num_train, spec.train.batch_size)} steps, "
        f"{resources.concurrent_trials} at once, {workers} a trial: at most {in_words(costs.search_s(spec))}"
    )


def _space_line(spec: StudySpec) -> str:
    """Return how many trials the space needs, where no ranking chooses among them."""
    depths = sum(len(freeze_depths(spec.search, source.arch)) for source in spec.sources)
    needed = depths + LEAST_OF_SCRATCH * num_baselines(spec)
    what = f"space: each source at each freeze depth and scratch at {LEAST_OF_SCRATCH} learning rates"
    return f"{what} need {needed} trials; search.trials is {spec.search.trials}"


def _baseline_line(spec: StudySpec, costs: Costs) -> str:
    """Return what scratch costs, which is there for comparison alone."""
    trials, num = scratch_trials(spec, len(spec.sources), len(spec.archs)), num_baselines(spec)
    took = in_words(costs.search_s(spec) * trials / spec.search.trials)
    refits = spec.refit.candidates * spec.refit.seeds * num
    which = f" of the best trials' architectures ({num} of {len(spec.archs)} at most), after the others,"
    of = which if len(spec.archs) > 1 else ""
    return f"baseline: scratch{of} has {trials} of the trials (at most {took}) and up to {refits} of the refits"


def _refit_lines(spec: StudySpec, costs: Costs) -> list[str]:
    num, epochs, longer = num_refits(spec), spec.refit.epochs, lengths(spec.refit.baseline_cap)
    took = in_words(costs.refits_s(spec))
    lines = [f"refit: up to {plural(num, 'run')} of {plural(epochs, 'epoch')}, {costs.layout(spec)}: at most {took}"]
    if longer:
        took = in_words(costs.longer_s(spec))
        each = ", then ".join(str(times * epochs) for times in longer)
        lines.append(
            f"scratch at convergence: {plural(spec.refit.seeds, 'run')} of {each} epochs if more help: at most {took}"
        )
    return lines


def _scheduler_lines(spec: StudySpec) -> list[str]:
    search = spec.search
    at = ", ".join(map(str, rungs(search))) if search.scheduler == "asha" else ""
    return [f"asha: the best 1/{search.reduction_factor} go on after {at} epochs"] if at else []


def _images_line(spec: StudySpec, target: Size) -> str:
    num_bytes = (target.num_train + target.num_val) * 3 * spec.target.image_size**2
    return choose_place(num_bytes, measure_room(), spec.target.images, num_sets(spec)).why


def _pretrain_lines(spec: StudySpec, costs: Costs) -> list[str]:
    own = [source for source in spec.sources if source.pretrain]
    if not own:
        return []
    lines = [_pretrain_line(source, spec, costs) for source in own]
    layout = lay_out(costs.resources, len(own), lambda: max(costs.pretrain_step_s(source, spec) for source in own))
    return [*lines, f"pre-training: {layout}"]


def _pretrain_line(source: SourceSpec, spec: StudySpec, costs: Costs) -> str:
    assert source.pretrain
    num, epochs = costs.sizes[source.name].num_train, source.pretrain.epochs
    steps, whole = num_steps(num, pretrain_batch_size(source, spec, num)), in_words(costs.pretrain_run_s(source))
    return f"pre-train {source.name}: {plural(epochs, 'epoch')} of {plural(steps, 'step')}: about {whole} on one worker"


def _image_seconds(spec: StudySpec, arch: str, target: Size, resources: Resources) -> float:
    """Return seconds an image of a step of a full fine-tune, measured on a worker on small batches of noise."""
    batch_size = min(spec.train.batch_size, _BATCH_SIZE)
    size, num = spec.target.image_size, batch_size * _STEPS
    noise = generator(0, "plan").integers(0, 256, (num, size, size, 3), dtype=np.uint8)
    images = ImageSet(noise, np.arange(num) % target.num_classes, np.arange(num, dtype=np.uint64))
    task = share(Task(images, images.take(np.arange(1)), target.num_classes, {"scratch": scratch(arch)}))
    train = spec.train.model_copy(update={"clip_norm": 1.0, "batch_size": batch_size})
    job = Job("plan", task, "scratch", TrainConfig(0, 1e-4, 2, 0, train))
    return step_seconds(job, resources) / batch_size


def _workers(num: str, cpus: int, gpus: float) -> str:
    each = plural(cpus, "CPU") + (f" and {gpus:g} GPU" if gpus else "")
    return f"{num} worker{'' if num == '1' else 's'} of {each}"
