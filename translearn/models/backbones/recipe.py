"""The Python that makes a network without translearn, for who gets its weights alone."""

from __future__ import annotations

import torch

from translearn.models.backbones.backbone import ADDED_HEAD, create_own, own_options
from translearn.models.backbones.names import TIMM, is_timm
from translearn.models.backbones.stages import Stages, stages


def recipe(arch: str, num_classes: int, image_size: int) -> str:
    """Return lines of Python that make ``network``, under whose names translearn keeps tensors.

    Args:
        arch: The architecture.
        num_classes: C.
        image_size: The side of its images, in pixels, which position embeddings depend on.
    """
    found = stages(arch)
    is_added = found.head[-1] == ADDED_HEAD
    make = _of_timm if is_timm(arch) else _of_torchvision
    lines = make(arch, 0 if is_added else num_classes, image_size)
    return "\n".join([*lines, *(_head(found, num_classes) if is_added else [])])


def _of_timm(arch: str, num_classes: int, image_size: int) -> list[str]:
    with torch.device("meta"):
        is_sized = hasattr(create_own(arch, 1), "set_input_size")
    made = f'network = timm.create_model("{arch.removeprefix(TIMM)}", num_classes={num_classes})'
    return [made, *([f"network.set_input_size(img_size={image_size})"] if is_sized else [])]


def _of_torchvision(arch: str, num_classes: int, image_size: int) -> list[str]:
    given = {"num_classes": num_classes or 1, **own_options(arch)}
    given |= {"image_size": image_size} if "image_size" in given else {}
    made = f"network = torchvision.models.{arch}({', '.join(f'{name}={value}' for name, value in given.items())})"
    pool = "network.classifier = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1))"
    return [made] if num_classes else [made, pool]


def _head(found: Stages, num_classes: int) -> list[str]:
    made = f"network.{ADDED_HEAD} = torch.nn.Linear({found.widths[found.names[-1]]}, {num_classes})"
    return [made, f"# logits = network.{ADDED_HEAD}(features): network(images), or their mean over tokens or pixels"]
