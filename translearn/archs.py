"""The one table of backbones: every architecture's ordered stages, input side first.

It is plain data, free of torch, so that a study file can be checked before anything heavy is imported.
"""

from __future__ import annotations

_RESIDUAL = {stage: (stage,) for stage in ("layer1", "layer2", "layer3", "layer4")}
_RESNET = {"stem": ("conv1", "bn1", "relu", "maxpool"), **_RESIDUAL}
_RESNETS = (
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    *("wide_resnet50_2", "wide_resnet101_2"),
)
# How many convolutions each of the five blocks has; every one is followed by BatchNorm and ReLU.
_VGG_BLOCKS = {
    "vgg11_bn": (1, 1, 2, 2, 2),
    "vgg13_bn": (2, 2, 2, 2, 2),
    "vgg16_bn": (2, 2, 3, 3, 3),
    "vgg19_bn": (2, 2, 4, 4, 4),
}


def _vgg(blocks: tuple[int, ...]) -> dict[str, tuple[str, ...]]:
    stages, first = {}, 0
    for index, num_convolutions in enumerate(blocks, start=1):
        size = 3 * num_convolutions + 1  # convolution, BatchNorm, ReLU; then one pooling
        stages[f"block{index}"] = tuple(f"features.{i}" for i in range(first, first + size))
        first += size
    # torchvision's last but one layers: two wide ones, each with ReLU and dropout.
    return {**stages, "fc": ("avgpool", "flatten", *(f"classifier.{i}" for i in range(6)))}


#: Architecture to {stage: the names of torchvision's modules that it runs, in order}.
STAGES: dict[str, dict[str, tuple[str, ...]]] = {
    **{arch: _RESNET for arch in _RESNETS},
    **{arch: _vgg(blocks) for arch, blocks in _VGG_BLOCKS.items()},
}


def num_stages(arch: str) -> int:
    """How many stages a backbone has, so also the freeze depth of a linear probe."""
    return len(STAGES[arch])
