"""A tiny model made by hand, and images that are awkward to decode."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))  # sources.py

from translearn.data.images.pixels import FORMATS, MAX_PIXELS
from translearn.data.transforms import MEAN, STD
from translearn.models.model_dir import save_model
from translearn.models.model_info import ModelInfo
from translearn.models.network import build
from translearn.models.preprocessing import Preprocessing, with_steps
from translearn.storage.folder import Folder

CLASSES = ("cat", "dog", "newt")


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet-18 at 32 pixels with random weights, three classes, and a temperature."""
    path = tmp_path_factory.mktemp("study") / "model"
    fields = Preprocessing(image_size=32, mean=MEAN, std=STD, formats=FORMATS, max_pixels=MAX_PIXELS)
    info = ModelInfo(arch="resnet18", classes=CLASSES, preprocessing=with_steps(fields), temperature=0.25)
    save_model(Folder.open(path), build("resnet18", 3, seed=1).state_dict(), info)
    return path
