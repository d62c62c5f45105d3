"""``translearn predict`` with a study's model: the predictions are those of its evaluation, with and without Ray."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from small_study import small_study, small_tree

from translearn.cli import main
from translearn.cluster.data.predict import predict
from translearn.cluster.resources import Resources
from translearn.data.dataset import open_dataset
from translearn.data.images.decode import decode_split, select_split
from translearn.evaluation.predictions import Predictions
from translearn.evaluation.temperature import scaled
from translearn.storage.folder import Folder
from translearn.study.models import load

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def study(ray_session, tmp_path_factory) -> Path:
    storage = tmp_path_factory.mktemp("runs")
    file = storage / "small.yaml"
    file.write_text(yaml.safe_dump(small_tree(storage)))
    assert main(["run", str(file)]) == 0
    return storage / "small"


@pytest.fixture(scope="module")
def photos(study, tmp_path_factory) -> tuple[Path, list[str]]:
    """The study's test images as files named by their rows, and their classes."""
    folder, dataset = tmp_path_factory.mktemp("photos"), open_dataset(study / "data" / "target")
    selection = select_split(dataset, "test", 32, 12, small_study(study.parent).seed)
    contents = [content for table in dataset.tables("test", ["image"]) for content in table["image"].to_pylist()]
    for number, row in enumerate(selection.rows):
        (folder / f"{number:05d}.png").write_bytes(contents[row])
    return folder, [dataset.manifest.classes[label] for label in selection.labels]


def evaluated(study: Path) -> Predictions:
    """As the evaluation step computes them, at the model's temperature."""
    seed = small_study(study.parent).seed
    images = decode_split(open_dataset(study / "data" / "target"), "test", 32, 12, seed)
    (found,) = predict([load(Folder.open(study / "model"))], images, Resources(1, 0.0, 1, 1))
    temperature = json.loads((study / "model" / "model.json").read_text())["info"]["temperature"]
    return scaled(Predictions("deployed", 0, found, images.labels), temperature)


@pytest.mark.parametrize("address", [None, "auto"])
def test_test_predictions_are_those_of_evaluation(study, photos, tmp_path, address):
    folder, labels = photos
    out, more = tmp_path / "p.parquet", ["--address", address] if address else []
    assert main(["predict", str(study), str(folder), "--out", str(out), *more]) == 0
    rows, expected = pq.read_table(out), evaluated(study)
    classes = json.loads((study / "model" / "model.json").read_text())["info"]["classes"]
    assert rows["id"].to_pylist() == [f"{number:05d}.png" for number in range(len(labels))]
    assert rows["prediction"].to_pylist() == [classes[index] for index in expected.predicted]
    found = np.stack([rows[f"probability_{name}"].to_numpy() for name in classes], axis=1)
    np.testing.assert_allclose(found, expected.probabilities, atol=1e-6)
    confusion, pairs = np.zeros((10, 10), dtype=int), zip(labels, rows["prediction"].to_pylist(), strict=True)
    for label, prediction in pairs:
        confusion[classes.index(label), classes.index(prediction)] += 1
    told = json.loads((study / "evaluation.json").read_text())["classification"]["confusion"]
    assert confusion.tolist() == told


def test_many_images_on_a_cluster_are_in_order_with_reasons(study, photos, tmp_path):
    folder, _ = photos
    paths = [f"{number % 90:05d}.png" for number in range(3000)]
    paths[1700] = "gone.png"
    (folder / "many.csv").write_text("\n".join(["path", *paths]))
    outs = [tmp_path / "ray.parquet", tmp_path / "here.parquet"]
    for out, more in zip(outs, (["--address", "auto"], []), strict=True):
        assert main(["predict", str(study), str(folder / "many.csv"), "--top", "2", "--out", str(out), *more]) == 0
    rows, here = (pq.read_table(out).to_pylist() for out in outs)
    assert [row["id"] for row in rows] == paths
    assert [(row["prediction"], row["reason"]) for row in rows] == [(row["prediction"], row["reason"]) for row in here]
    assert rows[1700]["reason"] == "does not exist"
