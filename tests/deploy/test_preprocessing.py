"""A pipeline that is written from ``model.json`` alone, without translearn, gives the same decisions."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.models import resnet18
from torchvision.transforms.v2 import functional as tv

import translearn
from translearn.data.images.large import MAX_PIXELS
from translearn.data.images.pixels import FORMATS
from translearn.data.transforms import MEAN, STD
from translearn.models.model_dir import save_model
from translearn.models.model_info import ModelInfo
from translearn.models.network import build
from translearn.models.preprocessing import Preprocessing, with_steps
from translearn.storage.folder import Folder

NUM, SIZE = 400, 32
COLOURS = np.array([[210, 60, 50], [60, 190, 70], [70, 80, 220], [200, 190, 60]])


def theirs(path: Path, p: dict[str, Any]) -> torch.Tensor:
    """From the fields and words of ``model.json``, with Pillow and torchvision."""
    with Image.open(path, formats=p["formats"]) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):
            grey = np.clip(np.asarray(image).astype(np.int64), 0, p["white"]) * 255 // p["white"]
            image = Image.fromarray(grey.astype(np.uint8))
        if image.has_transparency_data:
            behind = Image.new("RGBA", image.size, (*p["background"], 255))
            image = Image.alpha_composite(behind, image.convert("RGBA"))
        pixels = tv.pil_to_tensor(image.convert("RGB"))
    square = tv.center_crop(pixels, [min(pixels.shape[1:])] * 2)
    resized = tv.resize(square, [p["image_size"]] * 2, tv.InterpolationMode.BILINEAR, antialias=p["antialias"])
    return tv.normalize(resized.to(torch.float32) / p["divisor"], p["mean"], p["std"])


def made_image(index: int) -> bytes:
    """An image of one of four colours, upper and lower half unlike, in one of many encodings, lying or cut out."""
    rng = np.random.default_rng(index)
    height, width = rng.integers(40, 240, 2)
    coarse = rng.integers(-60, 60, (6, 6, 3)) + COLOURS[index % 4]
    coarse[3:] //= 2
    image = Image.fromarray(np.clip(coarse, 0, 255).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    alpha = Image.fromarray(rng.integers(0, 2, (5, 5), dtype=np.uint8) * 255).resize((width, height))
    kind, options = index // 4 % 8, {}
    if kind in (0, 1, 2):  # lying: the pixels are turned, and the file says so
        exif = image.getexif()
        exif[0x0112] = int(rng.integers(1, 9))
        options = {"exif": exif, "quality": 92}
    elif kind in (3, 4):
        image.putalpha(alpha)
    elif kind == 5:
        image = image.quantize(64)
        options = {"transparency": 0}
    elif kind == 6:
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    stream = io.BytesIO()
    image.save(stream, ("JPEG", "JPEG", "JPEG", "PNG", "WEBP", "GIF", "PNG", "TIFF")[kind], **options)
    return stream.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The images, and a model whose head tells the four kinds apart by the mean features of each."""
    folder = tmp_path_factory.mktemp("agreement")
    for index in range(NUM):
        (folder / f"{index:03d}.img").write_bytes(made_image(index))
    network = build("resnet18", 4, seed=0)
    fields = Preprocessing(image_size=SIZE, mean=MEAN, std=STD, formats=FORMATS, max_pixels=MAX_PIXELS)
    info = ModelInfo(arch="resnet18", classes=("red", "green", "blue", "yellow"), preprocessing=with_steps(fields))
    save_model(Folder.open(folder / "model"), network.state_dict(), info)
    model = translearn.load_model(folder / "model", device="cpu")
    pixels = np.stack([model.preprocess(path) for path in images(folder)])
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - torch.tensor(MEAN)[:, None, None]
    with torch.inference_mode():
        features = model.network.features(x / torch.tensor(STD)[:, None, None])
    targets = torch.nn.functional.one_hot(torch.arange(NUM) % 4, 4).float() * 8 - 2
    inputs = torch.cat([features, torch.ones(NUM, 1)], 1)
    weights = torch.linalg.solve(inputs.T @ inputs + 0.1 * torch.eye(inputs.shape[1]), inputs.T @ targets)
    state = {**network.state_dict(), "fc.weight": weights[:-1].T.contiguous(), "fc.bias": weights[-1].contiguous()}
    save_model(Folder.open(folder / "model"), state, info)
    return folder


def images(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.img"))


def test_a_pipeline_from_the_description_alone_agrees(folder):
    ours = translearn.load_model(folder / "model", device="cpu").predict(images(folder))
    told = json.loads((folder / "model" / "model.json").read_text())["info"]
    import safetensors.torch

    network = resnet18(num_classes=len(told["classes"])).eval()
    network.load_state_dict(safetensors.torch.load_file(folder / "model" / "model.safetensors"))
    with torch.inference_mode():
        x = torch.stack([theirs(path, told["preprocessing"]) for path in images(folder)])
        decisions = [told["classes"][index] for index in network(x).argmax(1)]
    agreeing = np.mean([a == b for a, b in zip(ours.classes, decisions, strict=True)])
    assert agreeing >= 0.995
    counts = {name: ours.classes.count(name) for name in told["classes"]}
    assert min(counts.values()) > NUM / 10  # the decisions are not all one


@pytest.mark.parametrize("forgotten", ["exif_transpose", "background"])
def test_the_images_would_show_a_step_that_is_left_out(folder, monkeypatch, forgotten):
    p = json.loads((folder / "model" / "model.json").read_text())["info"]["preprocessing"]
    whole = torch.stack([theirs(path, p) for path in images(folder)[:40]])
    if forgotten == "background":
        p["background"] = [0, 0, 0]
    else:
        monkeypatch.setattr(ImageOps, forgotten, lambda image, **_: image)
    changed = torch.stack([theirs(path, p) for path in images(folder)[:40]])
    assert (whole - changed).abs().amax(dim=(1, 2, 3)).gt(0.5).sum() >= 5


def test_the_words_name_what_the_fields_say(folder):
    p = json.loads((folder / "model" / "model.json").read_text())["info"]["preprocessing"]
    words = " ".join(p["steps"])
    for said in (
        *p["formats"],
        p["max_pixels"],
        3 * SIZE,
        "EXIF",
        p["white"],
        "(255, 255, 255)",
        "bilinear",
        *p["mean"],
    ):
        assert str(said) in words
