"""A backbone of each family as an ONNX file gives the network's probabilities, for one image and for several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from translearn.deploy.classifier import Classifier
from translearn.deploy.export.formats import opened, write
from translearn.models.backbones.backbone import native_size
from translearn.models.backbones.faults import takes
from translearn.models.network import build
from translearn.models.preprocessing import IMAGENET

TORCHVISION = (
    *("resnet18", "resnext50_32x4d", "vgg11_bn", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0"),
    *("convnext_tiny", "regnet_y_400mf", "densenet121", "swin_t", "vit_b_16", "shufflenet_v2_x0_5", "mnasnet0_5"),
    *("googlenet", "inception_v3", "squeezenet1_1"),
)
TIMM = (
    *("test_resnet", "test_convnext", "test_vit", "vit_small_patch14_dinov2", "eva02_tiny_patch14_224"),
    *("test_efficientnet", "mobilenetv3_small_050", "regnetx_002", "swin_tiny_patch4_window7_224", "test_mambaout"),
    *("dla46_c", "resnetv2_18", "levit_128s", "repvit_m0_9", "deit_tiny_distilled_patch16_224", "crossvit_tiny_240"),
)


@pytest.mark.slow
@pytest.mark.parametrize("arch", [*TORCHVISION, *(f"timm/{name}" for name in TIMM)])
def test_an_onnx_file_gives_the_networks_probabilities(arch: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    size = next(size for size in (32, 64, 96, 112, native_size(arch)) if takes(arch, size))
    classifier = Classifier(build(arch, 3, 0, size).model, *IMAGENET).eval()
    write(classifier, size, "onnx", tmp_path / "model.onnx")
    run = opened("onnx", tmp_path / "model.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    for images in (pixels[:1], pixels):
        with torch.inference_mode():
            expected = classifier(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
        np.testing.assert_allclose(run(images), expected, atol=1e-5)
