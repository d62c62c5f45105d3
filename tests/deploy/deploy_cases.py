"""A tiny model made by hand."""

from __future__ import annotations

from pathlib import Path

from translearn.data.images.large import MAX_PIXELS
from translearn.data.images.pixels import FORMATS
from translearn.data.transforms import MEAN, STD
from translearn.models.model_dir import save_model
from translearn.models.model_info import ModelInfo
from translearn.models.network import build
from translearn.models.preprocessing import Preprocessing, with_steps
from translearn.storage.folder import Folder

CLASSES = ("cat", "dog", "newt")


def made_model(path: Path) -> Path:
    """Write a ResNet-18 at 32 pixels with random weights, three classes, and a temperature; return its place."""
    fields = Preprocessing(image_size=32, mean=MEAN, std=STD, formats=FORMATS, max_pixels=MAX_PIXELS)
    info = ModelInfo(arch="resnet18", classes=CLASSES, preprocessing=with_steps(fields), temperature=0.25)
    save_model(Folder.open(path), build("resnet18", 3, seed=1).state_dict(), info)
    return path
