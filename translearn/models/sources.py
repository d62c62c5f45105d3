"""Candidate sources of a network's initial weights, verified and with provenance.

A source of kind "pretrain" is trained by the caller and then read by ``from_model_dir``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from translearn.config import SCRATCH, SourceSpec
from translearn.errors import TranslearnError, WeightsError, fault, raise_faults
from translearn.models.backbones.backbone import ADDED_HEAD
from translearn.models.backbones.names import is_timm
from translearn.models.backbones.pretrained import find_weights, pretrained_state
from translearn.models.backbones.stages import stages
from translearn.models.backbones.timm_weights import find_timm, timm_state
from translearn.models.checkpoints.files import read_content
from translearn.models.checkpoints.selection import select
from translearn.models.load import LoadAccount, fit_faults, head_width, load_source
from translearn.models.model_dir import load_model
from translearn.models.model_info import MARKER
from translearn.models.network import Network, build, skeleton
from translearn.models.preprocessing import IMAGENET, Normalisation
from translearn.models.weights import State, fingerprint
from translearn.storage.folder import Folder

Kind = Literal["weights", "checkpoint", "pretrain", "scratch"]


@dataclass(frozen=True, eq=False)
class Source:
    """A candidate source.

    Attributes:
        name: Its name in the study.
        arch: Its architecture.
        kind: The origin of its weights.
        state: Its tensors, on the CPU, under the model's names; None for scratch. The head may be missing.
        classes: The source task's classes, in the order of the head's logits; None where unknown.
        source_error: Error on the source task's held-out images, 0 to 1, as its maker reports it; None where unknown.
        fingerprint: Of ``state``, see ``models.weights.fingerprint``; None for scratch.
        provenance: Its location and its maker's records; JSON.
        notes: What was taken of its file and what was not, in words.
        normalisation: The mean and std of the images that its weights were trained on.
        image_size: The side of the images, in pixels, that ``state`` is for; None for the native one.
    """

    name: str
    arch: str
    kind: Kind
    state: State | None = None
    classes: tuple[str, ...] | None = None
    source_error: float | None = None
    fingerprint: str | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    normalisation: Normalisation = IMAGENET
    image_size: int | None = None


def scratch(arch: str, name: str = SCRATCH) -> Source:
    """Return the source without weights."""
    return Source(name, arch, "scratch")


def obtain(spec: SourceSpec) -> Source:
    """Read a source of kind "weights" or "checkpoint", and check it against its architecture.

    Args:
        spec: With ``weights`` (a name of torchvision's or a tag of timm's) or ``checkpoint`` (a file as
            ``files.read_content`` takes it, or a directory as ``save_model`` writes it; local, ``s3://`` or ``gs://``).

    Raises:
        WeightsError: It is missing, unsafe, damaged, or does not fit ``spec.arch``.
        StorageError: Its storage cannot be reached.
    """
    if spec.weights is not None:
        return (_from_timm if is_timm(spec.arch) else _from_torchvision)(spec, spec.weights)
    assert spec.checkpoint is not None, "a pre-trained source is read by from_model_dir"
    if Folder.open(spec.checkpoint).exists(MARKER):
        raise_faults(_told_faults(spec), WeightsError)
        return from_model_dir(spec.name, Folder.open(spec.checkpoint), arch=spec.arch, kind="checkpoint")
    return _from_file(spec, spec.checkpoint)


def from_model_dir(name: str, folder: Folder, *, arch: str | None = None, kind: Kind = "pretrain") -> Source:
    """Read the source in a model directory.

    Args:
        name: The source's name in the study.
        folder: As ``save_model`` wrote it.
        arch: The architecture that it must have, where one was asked for.
        kind: The kind of the source.

    Raises:
        WeightsError: It is unfinished, damaged, or of another architecture.
    """
    state, info = load_model(folder)
    if arch not in (None, info.arch):
        rule = f"must be the architecture of {folder.uri}, {info.arch}"
        raise WeightsError(fault(f"sources.{name}.arch", rule, repr(arch), f"Set `arch: {info.arch}`."))
    error = info.errors.validation if info.errors.test is None else info.errors.test
    provenance = {"checkpoint": folder.uri, **info.provenance}
    made_with = info.preprocessing
    return _verified(
        Source(
            name,
            info.arch,
            kind,
            state,
            info.classes,
            error,
            provenance=provenance,
            normalisation=made_with.normalisation,
            image_size=made_with.image_size,
        )
    )


def check_sources(specs: Sequence[SourceSpec]) -> list[str]:
    """Return the faults of sources, a line each, without downloading or training.

    Files and model directories are read and checked whole; of torchvision's and timm's weights only the name is.
    """
    return [line for spec in specs for line in _faults(spec)]


def initial_network(
    source: Source, num_classes: int, seed: int, image_size: int | None = None
) -> tuple[Network, LoadAccount]:
    """Build the network that fine-tuning on the target starts from: the source's backbone and a fresh head.

    Args:
        source: The source of the backbone; for scratch it is a function of the seed.
        num_classes: C of the target.
        seed: Seeds the head (the same for every source of an architecture) and what scratch starts from.
        image_size: The side of the target's images, in pixels; None for that of the source.

    Returns:
        The network, on the CPU, and which of its parameters and buffers were loaded and which are fresh.
    """
    network = build(source.arch, num_classes, seed, source.image_size)
    network.normalisation = source.normalisation
    account = LoadAccount(loaded=(), reinitialised=tuple(network.state_dict()))
    if source.state is not None:
        account = load_source(network, source.state, where=f"sources.{source.name}")
    return network if image_size is None else network.resize(image_size), account


def _told_faults(spec: SourceSpec) -> list[str]:
    """Return a line for each field about a model directory that the directory says itself."""
    rule, remedy = f"must be left out of a directory with a {MARKER}", "Leave it out: the directory says it."
    given = {key: value for key in ("prefix", "preprocessing") if (value := getattr(spec, key)) is not None}
    return [fault(f"sources.{spec.name}.{key}", rule, repr(value), remedy) for key, value in given.items()]


def _from_file(spec: SourceSpec, path: str) -> Source:
    backbone = skeleton(spec.arch)
    found = select(backbone, read_content(path), f"sources.{spec.name}", spec.prefix)
    width = head_width(backbone, found.state)
    told = spec.preprocessing
    none = "has no head of one linear layer" if backbone.stages.head[-1] == ADDED_HEAD else "has no head"
    head = none if width is None else f"has a head of {width} classes, which a new one replaces on the target"
    return _verified(
        Source(
            spec.name,
            spec.arch,
            "checkpoint",
            found.state,
            provenance={"checkpoint": path, "prefix": found.prefix, "left_out": list(found.left_out)},
            notes=(*found.words(), head),
            normalisation=Normalisation(told.mean, told.std) if told else IMAGENET,
        )
    )


def _from_torchvision(spec: SourceSpec, name: str) -> Source:
    entry = find_weights(spec.arch, name)
    accuracy, transforms = entry.meta["_metrics"]["ImageNet-1K"]["acc@1"], entry.transforms()
    made_with = {
        "image_size": transforms.crop_size[0],
        "resize": transforms.resize_size[0],
        "interpolation": transforms.interpolation.value,
    }
    return _verified(
        Source(
            spec.name,
            spec.arch,
            "weights",
            state=pretrained_state(entry),
            classes=tuple(entry.meta["categories"]),
            source_error=round(1 - accuracy / 100, 6),
            provenance={"weights": f"torchvision's {entry}", "url": entry.url, **made_with},
            normalisation=Normalisation(tuple(transforms.mean), tuple(transforms.std)),
            image_size=transforms.crop_size[0],
        )
    )


def _from_timm(spec: SourceSpec, tag: str) -> Source:
    entry = find_timm(spec.arch, tag)
    size, hub = entry.input_size[-1], entry.hf_hub_id
    made_with = {"image_size": size, "resize": round(size / entry.crop_pct), "interpolation": entry.interpolation}
    named = {"weights": f"timm's {entry.architecture}.{entry.tag}", "url": f"https://huggingface.co/{hub}"}
    return _verified(
        Source(
            spec.name,
            spec.arch,
            "weights",
            state=timm_state(entry),
            provenance={**named, "licence": entry.license, **made_with},
            normalisation=Normalisation(tuple(entry.mean), tuple(entry.std)),
            image_size=size,
        )
    )


def _verified(source: Source) -> Source:
    assert source.state is not None
    where = f"sources.{source.name}"
    raise_faults(
        fit_faults(skeleton(source.arch, image_size=source.image_size), source.state, where=where), WeightsError
    )
    return replace(source, fingerprint=fingerprint(source.state))


def _faults(spec: SourceSpec) -> list[str]:
    try:
        stages(spec.arch)  # there is such a backbone
        if spec.weights is not None:
            find_timm(spec.arch, spec.weights) if is_timm(spec.arch) else find_weights(spec.arch, spec.weights)
        elif spec.checkpoint is not None:
            obtain(spec)
    except TranslearnError as error:
        where = f"sources.{spec.name}"
        return [line if line.startswith(where) else f"{where}: {line}" for line in str(error).splitlines()]
    return []
