"""What a study is: frozen models of the study file, and how a file becomes one.

The file's every fault is found at once and named by its dotted path, before anything expensive starts.
"""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from translearn.archs import STAGES, num_stages
from translearn.errors import SpecError, fault, raise_faults

SCRATCH = "scratch"
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Augment = Literal["none", "crop", "flip_crop", "resized_crop"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class IngestSpec(_Model):
    """How a data set that is not ingested yet becomes one; ``limit_per_class`` holds for any."""

    split: Annotated[tuple[Fraction, Fraction, Fraction], Field(description="train, val, test")] = (0.7, 0.15, 0.15)
    max_bad_fraction: Annotated[float, Field(ge=0, le=1)] = 0.01
    drop_leaks: bool = False
    limit_per_class: Annotated[Count | None, Field(description="images of each class and split, at most")] = None


class TargetSpec(_Model):
    """The target task."""

    data: str
    image_size: Annotated[int, Field(ge=16, le=1024)] = 224
    train_per_class: Count | None = None
    ingest: IngestSpec = IngestSpec()


class PretrainSpec(_Model):
    """How a source is trained from scratch on a source data set; ``null`` means as in ``train``."""

    data: str
    epochs: Count = 30
    lr: Positive = 0.1
    batch_size: Count | None = None
    augment: Augment | None = None
    ingest: IngestSpec = IngestSpec()


class SourceSpec(_Model):
    """A candidate source: exactly one of weights, checkpoint and pretrain."""

    name: Name
    arch: str
    weights: str | None = None
    checkpoint: str | None = None
    pretrain: PretrainSpec | None = None

    @property
    def origins(self) -> dict[str, object]:
        """What was given of weights, checkpoint and pretrain."""
        given = {"weights": self.weights, "checkpoint": self.checkpoint, "pretrain": self.pretrain}
        return {key: value for key, value in given.items() if value is not None}


class SearchSpec(_Model):
    """Which trials are made. ``freeze_depth: null`` means every depth of the architecture."""

    trials: Count = 32
    freeze_depth: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] | None = None
    lr: tuple[Positive, Positive] = (1e-4, 1e-1)
    epochs: Count = 20
    algorithm: Literal["optuna", "random"] = "optuna"
    early_stopping: Literal["asha", "none"] = "asha"
    grace_epochs: Count = 2
    reduction_factor: Annotated[int, Field(ge=2)] = 3


class TrainSpec(_Model):
    """How a network is trained, in every trial, refit and pre-training. ``batch_size`` is global."""

    batch_size: Count = 64
    optimizer: Literal["sgd", "adamw"] = "sgd"
    momentum: Fraction = 0.9
    weight_decay: NonNegative = 1e-4
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    warmup_epochs: NonNegative = 1.0
    label_smoothing: Fraction = 0.0
    clip_norm: Positive | None = None
    augment: Augment = "flip_crop"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    sync_batchnorm: bool = True


class ClusterSpec(_Model):
    """What a trial and the refit run on. ``auto``: a GPU a worker where the cluster has GPUs.

    ``checkpoint_interval_s``: 0 keeps the loop state of every epoch; more than 0 leaves out those that
    follow another within so many seconds, which is quicker where an epoch takes less than a second.
    """

    workers_per_trial: Count = 1
    gpus_per_worker: Literal["auto"] | NonNegative = "auto"
    cpus_per_worker: Count = 1
    refit_workers: Literal["auto"] | Count = "auto"
    checkpoint_interval_s: NonNegative = 0.0


class RefitSpec(_Model):
    """How the winner and the scratch baseline are trained again. ``epochs: null``: as in the search."""

    seeds: Count = 3
    epochs: Count | None = None


class StudySpec(_Model):
    """A whole study, as its file says, with every default filled in."""

    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    storage: str = "runs"
    target: TargetSpec
    sources: Annotated[tuple[SourceSpec, ...], Field(min_length=1)]
    search: SearchSpec = SearchSpec()
    train: TrainSpec = TrainSpec()
    cluster: ClusterSpec = ClusterSpec()
    refit: RefitSpec = RefitSpec()

    def scratch_name(self, arch: str) -> str:
        """The name of the scratch source of an architecture: qualified where there are several."""
        return SCRATCH if len(self.archs) == 1 else f"{SCRATCH}-{arch}"

    @property
    def archs(self) -> tuple[str, ...]:
        """The architectures of the sources, in order of first appearance."""
        return tuple(dict.fromkeys(source.arch for source in self.sources))

    def freeze_depths(self, arch: str) -> tuple[int, ...]:
        """The freeze depths that trials of an architecture may have."""
        return self.search.freeze_depth or tuple(range(num_stages(arch) + 1))

    @property
    def default_lr(self) -> float:
        """The usual learning rate of the optimizer, within the range searched."""
        usual = 1e-2 if self.train.optimizer == "sgd" else 1e-3
        return min(max(usual, self.search.lr[0]), self.search.lr[1])


def load_spec(path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> StudySpec:
    """The study in a YAML file, with ``a.b=c`` overrides applied.

    Args:
        path: The study file.
        overrides: Dotted paths and YAML values, for example ``search.trials=8``.

    Raises:
        SpecError: Holds every fault, a line each: dotted path, rule, value, remedy.
    """
    tree = _read_yaml(Path(path))
    for override in overrides:
        _apply(tree, override)
    return parse_spec(tree)


def parse_spec(tree: object) -> StudySpec:
    """The study in plain data, as YAML or JSON gives it. Raises SpecError with every fault."""
    if not isinstance(tree, dict):
        raise SpecError(fault("study", "must be a mapping of keys to values", type(tree).__name__, "See the README."))
    try:
        spec = StudySpec.model_validate_json(json.dumps(tree, default=str))
    except ValidationError as error:
        raise SpecError("\n".join(_line(detail) for detail in error.errors())) from None
    raise_faults(_cross_field_faults(spec), SpecError)
    return spec


class _Loader(yaml.SafeLoader):
    """Plain data only, no key twice, and ``1e-5`` is a number."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    keys = [str(loader.construct_object(key, deep=True)) for key, _ in node.value]
    for key in keys:
        if keys.count(key) > 1:
            raise SpecError(f"line {node.start_mark.line + 1}: the key {key!r} stands twice. Keep one of them.")
    loader.flatten_mapping(node)
    return {str(key): value for key, value in loader.construct_pairs(node, deep=True)}


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise SpecError(f"{path}: cannot be read ({error.strerror}). Give the path of a study file.") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise SpecError(f"{path}: is not plain YAML ({error}). Mend it, or start from workflows/configs.") from None
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None
    if not isinstance(tree, dict):
        raise SpecError(fault(str(path), "must hold keys and values", type(tree).__name__, "See workflows/configs."))
    return tree


def _apply(tree: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not path.strip():
        raise SpecError(fault("--set", "must have the form path=value", repr(override), "For example search.trials=8."))
    *parents, last = path.strip().split(".")
    node: Any = tree
    for parent in parents:
        node = node[int(parent)] if _is_index(node, parent) else _child(node, parent, override)
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise SpecError(f"--set {override}: the value is not YAML ({error}). Quote it.") from None
    if _is_index(node, last):
        node[int(last)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        raise SpecError(f"--set {override}: {'.'.join(parents)} is no mapping and has no item {last!r}.")


def _is_index(node: object, key: str) -> bool:
    return isinstance(node, list) and key.isdigit() and int(key) < len(node)


def _child(node: object, key: str, override: str) -> Any:
    if not isinstance(node, dict):
        raise SpecError(f"--set {override}: nothing in the study file is called {key!r} there.")
    if node.get(key) is None:
        node[key] = {}
    return node[key]


def _line(detail: Any) -> str:
    where = ".".join(str(part) for part in detail["loc"] if not _is_union_tag(part))
    if detail["type"] == "extra_forbidden":
        return _unknown_key(where, detail["loc"])
    if detail["type"] == "missing":
        return f"{where}: is required, but is missing. Add it; see workflows/configs for an example."
    rule = detail["msg"][0].lower() + detail["msg"][1:]
    rule = re.sub(r"^(input|string|value|tuple|list) should", "must", rule)
    return fault(where, rule, repr(detail["input"]), "")


def _is_union_tag(part: object) -> bool:
    # pydantic adds the member of a union that it tried ("int", "literal['auto']", "constrained-float").
    return isinstance(part, str) and bool(re.search(r"[\[\]()-]|^(int|float|str)$", part))


def _unknown_key(where: str, location: tuple[Any, ...]) -> str:
    known = _known_keys(StudySpec, location[:-1])
    near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    remedy = f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(known)}."
    return f"{where}: is not a known key. {remedy}"


def _known_keys(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return sorted(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [_model_in(inner) for inner in get_args(annotation)] if get_origin(annotation) else []
    return next((model for model in found if model), None)


def _cross_field_faults(spec: StudySpec) -> list[str]:
    faults = [line for index, source in enumerate(spec.sources) for line in _source_faults(index, source)]
    names = [source.name for source in spec.sources]
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.append(fault("sources", "must have different names", f"{name!r} twice", "Rename one of them."))
    for name in names:
        if name == SCRATCH or name.startswith(f"{SCRATCH}-"):
            faults.append(fault("sources", "must not use the baseline's name", repr(name), "Scratch is always added."))
    if spec.search.lr[0] > spec.search.lr[1]:
        faults.append(fault("search.lr", "must be [lowest, highest]", list(spec.search.lr), "Swap them."))
    if abs(sum(spec.target.ingest.split) - 1) > 1e-6:
        faults.append(fault("target.ingest.split", "must sum to 1", list(spec.target.ingest.split), ""))
    return faults + _depth_faults(spec)


def _source_faults(index: int, source: SourceSpec) -> list[str]:
    where, faults = f"sources.{index}", []
    if source.arch not in STAGES:
        near = difflib.get_close_matches(source.arch, STAGES, n=1, cutoff=0.3)
        remedy = f"Did you mean {near[0]!r}?" if near else f"One of {', '.join(STAGES)}."
        faults.append(fault(f"{where}.arch", "must be a known backbone", repr(source.arch), remedy))
    if len(source.origins) != 1:
        rule = "must have exactly one of weights, checkpoint and pretrain"
        got = " and ".join(source.origins) or "none of them"
        faults.append(fault(where, rule, got, "Scratch needs no entry: it is always added."))
    if source.pretrain and abs(sum(source.pretrain.ingest.split) - 1) > 1e-6:
        split = list(source.pretrain.ingest.split)
        faults.append(fault(f"{where}.pretrain.ingest.split", "must sum to 1", split, ""))
    return faults


def _depth_faults(spec: StudySpec) -> list[str]:
    faults = []
    for arch in spec.archs:
        for depth in spec.search.freeze_depth or ():
            if arch in STAGES and depth > num_stages(arch):
                rule = f"must be at most {num_stages(arch)}, the number of stages in {arch}"
                remedy = f"Use {num_stages(arch)} for a linear probe."
                faults.append(fault("search.freeze_depth", rule, depth, remedy))
    return faults
