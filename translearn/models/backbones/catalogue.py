"""The list of backbones: what each is, and the weights that are known for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch

from translearn.errors import WeightsError
from translearn.models.backbones.backbone import names, native_size, torchvision_models
from translearn.models.backbones.names import is_timm
from translearn.models.backbones.stages import num_stages
from translearn.models.backbones.timm_weights import tags
from translearn.models.network import skeleton

_MOST = 40  # backbones are run without memory, in some tenths of a second each


@dataclass(frozen=True)
class Entry:
    """A backbone in the list.

    Attributes:
        arch: Its name.
        image_size: The side of the images, in pixels, that its default weights take.
        weights: The names of its weights, the default ones first.
        num_stages: The number of its stages; None where the list is too long to count them.
        num_parameters: The number of its parameters without a head, likewise.
        reason: Why it can not be used; empty where it can.
    """

    arch: str
    image_size: int
    weights: tuple[str, ...]
    num_stages: int | None = None
    num_parameters: int | None = None
    reason: str = ""


def catalogue(pattern: str = "*") -> Iterator[Entry]:
    """Yield the backbones whose names fit a pattern as of file names, or contain it where it has no ``*`` and ``?``."""
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    found = [arch for arch in names() if fnmatch(arch, wanted)]
    for arch in found:
        yield _counted(arch) if len(found) <= _MOST else _entry(arch)


def _entry(arch: str) -> Entry:
    return Entry(arch, native_size(arch), tuple(tags(arch)) if is_timm(arch) else _of_torchvision(arch))


def _counted(arch: str) -> Entry:
    plain = _entry(arch)
    try:
        network = skeleton(arch)
    except WeightsError as error:
        return Entry(arch, plain.image_size, plain.weights, reason=str(error))
    counts = [p.numel() for name, p in network.named_parameters() if network.stage_of(name) != "head"]
    return Entry(arch, plain.image_size, plain.weights, num_stages(arch), sum(counts))


def _of_torchvision(arch: str) -> tuple[str, ...]:
    entries = torchvision_models().get_model_weights(arch)
    return tuple(sorted((entry.name for entry in entries), key=lambda name: name != entries.DEFAULT.name))
