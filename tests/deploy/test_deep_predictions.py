"""A model trained on 12 bits of 16 sees the same pixels in use."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import numpy as np
from deep_images import png_16, tiff
from PIL import Image
from sources import write_files
from torch import nn

from translearn.config import StudySpec
from translearn.data.images.decode import decode_split
from translearn.data.ingest.ingest import ingest, inspected, plan_ingest
from translearn.deploy.model import Model
from translearn.models.model_info import ModelInfo
from translearn.storage.folder import Folder
from translearn.study.models import model_info


def _pixels(number: int, shape: tuple[int, ...] = (20, 24)) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 4096, shape).astype(np.uint16)


def test_the_white_of_the_data_set_is_that_of_predictions(tmp_path):
    files = {f"{name}/{n}.tif": tiff(_pixels(n + 10 * (name == "b"))) for name in "ab" for n in range(4)}
    plan = plan_ingest(str(write_files(tmp_path / "in", files)))
    dataset = ingest(plan, Folder.open(tmp_path / "out"), inspected(plan))
    sources = [{"name": "own", "arch": "resnet18", "weights": "DEFAULT"}]
    target = {"data": str(tmp_path / "in"), "image_size": 16}
    spec = StudySpec.model_validate_json(json.dumps({"name": "deep", "target": target, "sources": sources}))
    info = model_info("resnet18", dataset, spec, {})
    told = ModelInfo.model_validate_json(info.model_dump_json()).preprocessing
    assert told.white == 4095
    assert "clip to 0..4095, multiply by 255, divide by 4095" in " ".join(told.steps)
    model = Model(SimpleNamespace(model=nn.Flatten()), info)
    trained = decode_split(dataset, "test", 16).images[0]
    [rows] = dataset.tables("test")
    content = rows["image"][0].as_py()
    (tmp_path / "new.tif").write_bytes(content)
    picture = Image.open(io.BytesIO(content))
    for form in (content, tmp_path / "new.tif", picture, np.asarray(picture)):
        assert np.array_equal(model.preprocess(form), trained)
    assert np.array_equal(model.decoded(content), trained)
    grey = _pixels(3)
    coloured = png_16(np.repeat(grey[..., None], 3, axis=2))
    assert np.array_equal(model.preprocess(coloured), model.preprocess(grey))
