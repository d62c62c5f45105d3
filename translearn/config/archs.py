"""The table of backbones: every architecture's ordered stages, input side first.

It is plain data, free of torch, so that a study file can be checked before anything heavy is imported.
"""

from __future__ import annotations

_RESNET = {
    "stem": ("conv1", "bn1", "relu", "maxpool"),
    **{stage: (stage,) for stage in ("layer1", "layer2", "layer3")},
    "layer4": ("layer4", "avgpool", "flatten"),
}
_RESNETS = (
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    *("wide_resnet50_2", "wide_resnet101_2"),
)
# The number of convolutions of each of the five blocks; BatchNorm and ReLU follow each.
_VGG_BLOCKS = {
    "vgg11_bn": (1, 1, 2, 2, 2),
    "vgg13_bn": (2, 2, 2, 2, 2),
    "vgg16_bn": (2, 2, 3, 3, 3),
    "vgg19_bn": (2, 2, 4, 4, 4),
}
# The first and the last of torchvision's `features` in each stage; a new stage starts where the resolution halves.
_MOBILENET_SPANS = {"stem": (0, 1), "stage1": (2, 3), "stage2": (4, 6), "stage3": (7, 13), "stage4": (14, 18)}


def _vgg(blocks: tuple[int, ...]) -> dict[str, tuple[str, ...]]:
    stages, first = {}, 0
    for index, num_convolutions in enumerate(blocks, start=1):
        size = 3 * num_convolutions + 1  # convolution, BatchNorm, ReLU; then one pooling
        stages[f"block{index}"] = tuple(f"features.{i}" for i in range(first, first + size))
        first += size
    # torchvision's last but one layers: two wide ones, each with ReLU and dropout.
    return {**stages, "fc": ("avgpool", "flatten", *(f"classifier.{i}" for i in range(6)))}


def _mobilenet() -> dict[str, tuple[str, ...]]:
    spans = _MOBILENET_SPANS.items()
    stages = {stage: tuple(f"features.{i}" for i in range(first, last + 1)) for stage, (first, last) in spans}
    return {**stages, "stage4": (*stages["stage4"], "avgpool", "flatten")}


#: Architecture to {stage: the names of torchvision's modules that it runs, in order}. "flatten" flattens all but
#: the first dimension. The last stage leaves the features, shape (N, D).
STAGES: dict[str, dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(_RESNETS, _RESNET),
    **{arch: _vgg(blocks) for arch, blocks in _VGG_BLOCKS.items()},
    "mobilenet_v2": _mobilenet(),
}

#: Architecture to the names of torchvision's modules of its head; the last one is linear, features to logits.
HEAD: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_RESNETS, ("fc",)),
    **dict.fromkeys(_VGG_BLOCKS, ("classifier.6",)),
    "mobilenet_v2": ("classifier.0", "classifier.1"),
}


def num_stages(arch: str) -> int:
    """Return the number of stages of a backbone, which is also the freeze depth of a linear probe."""
    return len(STAGES[arch])


def min_image_size(arch: str) -> int:
    """Return the least side of the images of a backbone, in pixels: VGG's five poolings leave nothing of less."""
    return 2 ** len(_VGG_BLOCKS[arch]) if arch in _VGG_BLOCKS else 1
