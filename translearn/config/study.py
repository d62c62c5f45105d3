"""Frozen models of the study file, with the rules for each value."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from translearn.storage.uris import SECRETS_REMEDY, has_secrets, is_remote

SCRATCH = "scratch"
#: Stands for ``auto`` where a number follows from the size of the data; ``study.planning.budget`` sets it.
AUTO = 0
_MLFLOW_REMEDY = (
    "Leave them out: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, are read from "
    "the environment."
)


def _broken(rule: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("rule", "{rule}", {"rule": rule, "remedy": remedy})


def _no_baseline(name: str) -> str:
    if name == SCRATCH or name.startswith(f"{SCRATCH}-"):
        raise _broken("must not be the baseline's name", "Scratch is always added.")
    return name


def _ascending(range_: tuple[float, float]) -> tuple[float, float]:
    if range_[0] > range_[1]:
        raise _broken("must be [lowest, highest]", "Swap them.")
    return range_


def _sums_to_one(fractions: tuple[float, float, float]) -> tuple[float, float, float]:
    if abs(sum(fractions) - 1) > 1e-6:
        raise _broken("must sum to 1", "For example [0.7, 0.15, 0.15].")
    return fractions


def _without_secrets(location: str) -> str:
    if has_secrets(location):
        raise _broken("must hold no keys, passwords or tokens", SECRETS_REMEDY)
    return location


def _tracking_address(address: str) -> str:
    if has_secrets(address):
        raise _broken("must hold no keys, passwords or tokens", _MLFLOW_REMEDY)
    if not is_remote(address) and address != "databricks":
        raise _broken("must be the tracking address of an MLflow server", "For example http://127.0.0.1:5000.")
    return address


def _gpus(number: float) -> float:
    if number > 1 and number % 1:
        raise _broken("must be a whole number where it is more than 1", "Ray divides single GPUs only.")
    return number


def _workers(value: Any, parse: ValidatorFunctionWrapHandler) -> Any:
    """Parse a number of workers with one fault; pydantic reports one for each form and each end of the range."""
    try:
        found = parse(tuple(value) if isinstance(value, list) else value)  # what JSON has, as Python has it
    except ValidationError:
        rule = "must be 'auto', a whole number of at least 1, or two of them, [lowest, highest]"
        raise _broken(rule, "For example 2, or [1, 4].") from None
    return _ascending(found) if isinstance(found, tuple) else found


def _auto(value: Any, parse: ValidatorFunctionWrapHandler) -> Any:
    """Parse a number or ``auto``, with one fault."""
    try:
        return AUTO if value == "auto" else parse(value)
    except ValidationError:
        raise _broken("must be 'auto' or a whole number of at least 1", "Leave it out for 'auto'.") from None


Count = Annotated[int, Field(ge=1)]
AutoCount = Annotated[Count, WrapValidator(_auto), PlainSerializer(lambda count: count or "auto")]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Part = Annotated[float, Field(ge=0, le=1)]
Scale = Annotated[float, Field(gt=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Arch = Annotated[str, Field(pattern=r"^(timm/)?[a-z0-9_]{1,100}$", description="a name of torchvision, or timm/NAME")]
Location = Annotated[str, AfterValidator(_without_secrets)]
TrackingAddress = Annotated[str, AfterValidator(_tracking_address)]
TrackerName = Annotated[str, Field(pattern=r"^[^/\\#?%:\s]{1,64}$")]
Split = Annotated[
    tuple[Fraction, Fraction, Fraction], AfterValidator(_sums_to_one), Field(description="train, val, test")
]
Place = Literal["auto", "memory", "disk", "stream"]
Workers = Annotated[Literal["auto"] | Count | tuple[Count, Count], WrapValidator(_workers)]
Augment = Literal["none", "crop", "flip_crop", "resized_crop", "trivial"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _regular_expression(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        remedy = r"For example clip(\d+): what it captures names the group."
        raise _broken(f"must be a regular expression ({error})", remedy) from None
    return pattern


class IngestSpec(_Model):
    """Ingestion of a data set that is not ingested yet; ``limit_per_class`` holds for ingested ones too."""

    split: Split = (0.7, 0.15, 0.15)
    max_bad_fraction: Annotated[float, Field(ge=0, le=1)] = 0.01
    drop_leaks: bool = False
    max_pixels: Annotated[Count, Field(description="width times height of an image, at most")] = 89_478_485
    limit_per_class: Annotated[Count | None, Field(description="images of each class and split, at most")] = None
    group: Annotated[
        Annotated[str, AfterValidator(_regular_expression)] | None,
        Field(description="regular expression: what it captures of a path names the group, which stays in one split"),
    ] = None


class TargetSpec(_Model):
    """The target task."""

    data: Location
    image_size: Annotated[int, Field(ge=16, le=1024)] = 224
    train_per_class: Count | None = None
    images: Place = "auto"
    ingest: IngestSpec = IngestSpec()


class PretrainSpec(_Model):
    """Training of a source from scratch on a source data set; ``null`` means as in ``train``."""

    data: Location
    epochs: Count = 30
    lr: Positive = 0.1
    batch_size: Count | None = None
    augment: Augment | None = None
    images: Place = "auto"
    ingest: IngestSpec = IngestSpec()


class NormalisationSpec(_Model):
    """Normalisation of the images that weights were trained on: of R, G and B in [0, 1], less ``mean``, by ``std``."""

    mean: Annotated[tuple[Part, Part, Part], Field(description="of R, G and B")] = (0.485, 0.456, 0.406)
    std: Annotated[tuple[Scale, Scale, Scale], Field(description="of R, G and B")] = (0.229, 0.224, 0.225)


class SourceSpec(_Model):
    """A candidate source: exactly one of weights, checkpoint and pretrain.

    ``prefix``: what stands before the backbone's names in a checkpoint; ``null``: found. ``preprocessing``: of its
    images; ``null``: ImageNet's, or that of its ``model.json``.
    ``data``: the training data of weights or a checkpoint, where they are available.
    """

    name: Annotated[Name, AfterValidator(_no_baseline)]
    arch: Arch
    weights: str | None = None
    checkpoint: Location | None = None
    prefix: Annotated[str | None, Field(max_length=1000)] = None
    preprocessing: NormalisationSpec | None = None
    pretrain: PretrainSpec | None = None
    data: Location | None = None

    @property
    def own_data(self) -> tuple[str, IngestSpec] | None:
        """The location of the source's own training data, and its ingestion; None where it is not available."""
        if self.pretrain:
            return self.pretrain.data, self.pretrain.ingest
        return (self.data, IngestSpec()) if self.data is not None else None


class RankSpec(_Model):
    """Ranking of sources before the search: on at most so many training images of the target.

    ``scores``: ``order`` for those that the ranking's conclusions rest on; ``all`` for every one, at every stage.
    """

    max_examples: Annotated[int, Field(ge=20)] = 2000
    scores: Literal["order", "all"] = "order"


class LimitsSpec(_Model):
    """The most that a source may cost, as the network that it becomes on the target; ``null``: any."""

    latency_ms: Annotated[Positive | None, Field(description="milliseconds of one image alone")] = None
    params_millions: Annotated[Positive | None, Field(description="millions of parameters")] = None
    mb: Annotated[Positive | None, Field(description="megabytes of its tensors, 10^6 bytes each")] = None


class SearchSpec(_Model):
    """The trials. ``freeze_depth: null`` means every depth of the architecture. ``epochs: auto``: enough steps.

    ``sampler`` suggests configurations, ``scheduler`` stops trials: not before ``grace_epochs``, and then all but the
    best 1/``reduction_factor`` of those that came as far. After ``time_budget_s`` seconds no trial goes on.
    ``warm_start``: where past studies are, ``auto`` for the study's own storage; ``off`` for none.
    ``limits``: sources that cost more have no trials.
    """

    trials: Count = 32
    freeze_depth: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] | None = None
    lr: Annotated[tuple[Positive, Positive], AfterValidator(_ascending)] = (1e-4, 1e-1)
    weight_decay: Annotated[tuple[NonNegative, ...], Field(min_length=1)] | None = None
    epochs: AutoCount = AUTO
    sampler: Literal["optuna", "random"] = "optuna"
    scheduler: Literal["asha", "hyperband", "median", "none"] = "asha"
    grace_epochs: Count = 2
    reduction_factor: Annotated[int, Field(ge=2)] = 3
    time_budget_s: Positive | None = None
    prior: Literal["auto", "off"] = "auto"
    warm_start: Location = "off"
    limits: LimitsSpec = LimitsSpec()

    @property
    def first_rung(self) -> int:
        """The first epoch at which ASHA compares trials: a part of ``epochs`` that keeps its last rung from the end."""
        rung = self.epochs
        while rung > 1 and math.ceil(rung / self.reduction_factor) >= self.grace_epochs:
            rung = math.ceil(rung / self.reduction_factor)
        return rung


class TrainSpec(_Model):
    """Training of a network in every trial, refit and pre-training. ``batch_size`` is global."""

    batch_size: AutoCount = AUTO
    optimizer: Literal["sgd", "adamw"] = "sgd"
    momentum: Fraction = 0.9
    weight_decay: NonNegative = 1e-4
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    drop_path: Fraction | None = None
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    warmup_epochs: NonNegative = 1.0
    label_smoothing: Fraction = 0.0
    clip_norm: Positive | None = None
    augment: Augment = "flip_crop"
    erasing: Part = 0.0
    mixup: NonNegative = 0.0
    cutmix: NonNegative = 0.0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile: Literal["auto", "always", "never"] = "auto"
    sync_batchnorm: bool = True

    @property
    def mixes(self) -> bool:
        """Whether examples are mixed with others."""
        return self.mixup > 0 or self.cutmix > 0

    @property
    def changes_images(self) -> bool:
        """Whether a network sees an image differently in each epoch."""
        return self.augment != "none" or self.erasing > 0 or self.mixes


class MlflowSpec(_Model):
    """An MLflow server that gets the runs of a study. ``experiment: null``: of the study's name."""

    tracking_uri: TrackingAddress
    experiment: Annotated[str | None, Field(min_length=1, max_length=256)] = None


class WandbSpec(_Model):
    """Weights & Biases. ``project: null``: of the study's name; ``entity`` and ``mode``: as wandb is set up."""

    project: TrackerName | None = None
    entity: TrackerName | None = None
    mode: Literal["online", "offline"] | None = None


class TrackersSpec(_Model):
    """The trackers that get the runs of a study; they may change within a study."""

    mlflow: MlflowSpec | None = None
    wandb: WandbSpec | None = None


class ClusterSpec(_Model):
    """The resources of trials and refits. ``auto``: a GPU a worker where the cluster has GPUs.

    ``refit_workers``: of each run; as ``[lowest, highest]``, their number follows the nodes that are there.
    ``refits_at_once``: so many runs side by side, at most. Both are of refits, pre-training and ``finetune``.
    ``checkpoint_interval_s``: 0 keeps the loop state of every epoch; more than 0 leaves out those that
    follow another within so many seconds. ``wait_for_nodes_s``: for nodes that hold a trial, which an autoscaler
    has yet to start.
    """

    workers_per_trial: Count = 1
    gpus_per_worker: Literal["auto"] | Annotated[NonNegative, AfterValidator(_gpus)] = "auto"
    cpus_per_worker: Count = 1
    refit_workers: Workers = "auto"
    refits_at_once: Literal["auto"] | Count = "auto"
    checkpoint_interval_s: NonNegative = 30.0
    wait_for_nodes_s: NonNegative = 0.0
    trackers: TrackersSpec = TrackersSpec()


class RefitSpec(_Model):
    """Refits of the best trials. ``epochs: auto``: enough steps, and no fewer than in the search.

    ``candidates``: so many trials with transfer, and as many of scratch. ``label_fractions``: parts of the training
    labels with which the best trial of both is trained as well, with ``label_seeds`` draws and seeds. ``forgetting``:
    one more run at each freeze depth of the best source, to show what each keeps of the source task.
    ``baseline_cap``: scratch is also trained with more steps, up to so many times those of a refit.
    """

    candidates: Count = 2
    seeds: Count = 3
    epochs: AutoCount = AUTO
    label_fractions: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    label_seeds: Count = 1
    forgetting: bool = False
    baseline_cap: Count = 5


class StudySpec(_Model):
    """A study file with all defaults filled in.

    ``time_budget_s``: of the whole study, in seconds; it is then made as large as fits (``study.planning``).
    """

    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    storage: Location = "runs"
    time_budget_s: Positive | None = None
    target: TargetSpec
    sources: Annotated[tuple[SourceSpec, ...], Field(min_length=1)]
    rank: RankSpec = RankSpec()
    search: SearchSpec = SearchSpec()
    train: TrainSpec = TrainSpec()
    cluster: ClusterSpec = ClusterSpec()
    refit: RefitSpec = RefitSpec()

    def scratch_name(self, arch: str) -> str:
        """Return the name of the scratch source of an architecture: qualified where there are several."""
        return SCRATCH if len(self.archs) == 1 else f"{SCRATCH}-{arch.replace('/', '-')}"

    @property
    def archs(self) -> tuple[str, ...]:
        """The architectures of the sources, in order of first appearance."""
        return tuple(dict.fromkeys(source.arch for source in self.sources))

    @property
    def default_lr(self) -> float:
        """The usual learning rate of the optimizer, within the range searched."""
        usual = 1e-2 if self.train.optimizer == "sgd" else 3e-4
        return min(max(usual, self.search.lr[0]), self.search.lr[1])
