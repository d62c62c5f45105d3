"""Files of each format give the network's predictions, at any number of images; one that does not is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from deploy_cases import CLASSES
from sources import image, write_files

import translearn
from translearn.cli import main
from translearn.data.dataset import open_dataset
from translearn.deploy.export import comparison, formats
from translearn.deploy.export import export as steps
from translearn.deploy.export.comparison import Comparison, compare, total

P = np.array([[0.6, 0.4], [0.3, 0.7], [0.5, 0.5]], dtype=np.float32)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    return write_files(folder, {**{f"{n:02d}.png": image(n, 40) for n in range(24)}, "00.jpg": b"text"})


@pytest.fixture
def export(model_path, photos, tmp_path, capsys, monkeypatch):
    """Runs the command; returns its exit code, its output and the file."""
    monkeypatch.setattr(comparison, "BUDGET_S", 0)

    def run(kind: str, ending: str, *more: str) -> tuple[int, list[str], Path]:
        out = tmp_path / f"model{ending}"
        code = main(["export", str(model_path), "--format", kind, "--out", str(out), "--check", str(photos), *more])
        told = capsys.readouterr()
        return code, (told.out or told.err).splitlines(), out

    return run


def check_file(model_path: Path, kind: str, path: Path, atol: float) -> None:
    """The file's probabilities are those of ``predict``, for one image and for many."""
    model = translearn.load_model(model_path, device="cpu")
    pixels = np.stack([model.preprocess(image(100 + number, 40)) for number in range(7)])
    run = formats.opened(kind, path)
    for num in (1, 7):
        np.testing.assert_allclose(run(pixels[:num]), model.probabilities(pixels[:num]), atol=atol)


def test_torchscript_with_its_description(export, model_path):
    code, lines, out = export("torchscript", ".pt", "--json")
    assert code == 0
    assert lines[0].startswith(f"{out}: ")
    assert lines[0].endswith(f" MB, described in {out}.json")
    assert lines[1].startswith("Checked on 12 images: the same class for every one, largest difference of a prob")
    assert lines[2].startswith("Milliseconds an image: ")
    result = json.loads(lines[-1])
    assert (result["status"], result["images"], result["changed"], result["errors"]) == ("done", 12, 0, None)
    assert result["bytes"] == out.stat().st_size
    assert set(result["latency_ms"]) == {"1", "32"}
    told = json.loads(out.with_name("model.pt.json").read_text())
    assert told["input"]["shape"] == ["N", 3, 32, 32]
    assert told["classes"] == list(CLASSES)
    assert told["preprocessing"] == json.loads((model_path / "model.json").read_text())["info"]["preprocessing"]
    assert sorted(path.name for path in out.parent.iterdir()) == ["model.pt", "model.pt.json"]
    check_file(model_path, "torchscript", out, 1e-6)


def test_errors_are_those_on_the_studys_validation_images(model_path, dataset, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(comparison, "BUDGET_S", 0)
    out = tmp_path / "model.pt"
    arguments = ["export", str(model_path), "--format", "torchscript", "--out", str(out), "--check", dataset.uri]
    assert main([*arguments, "--json"]) == 0
    told = capsys.readouterr().out.splitlines()
    val = open_dataset(dataset).tables("val", ["image", "label"])
    rows = [row for table in val for row in table.to_pylist()]
    found = translearn.load_model(model_path, device="cpu").predict([row["image"] for row in rows])
    wrong = sum(name != CLASSES[row["label"]] for name, row in zip(found.classes, rows, strict=True))
    assert told[1].startswith("Checked on 9 validation images: the same class for every one")
    assert json.loads(told[-1])["errors"] == {"network": wrong / 9, "file": wrong / 9}


@pytest.mark.slow
def test_torch_export(export, model_path):
    code, lines, out = export("torch_export", ".pt2")
    assert code == 0, lines
    check_file(model_path, "torch_export", out, 1e-6)


@pytest.mark.slow
def test_onnx(export, model_path):
    onnx = pytest.importorskip("onnx")
    code, lines, out = export("onnx", ".onnx")
    assert code == 0, lines
    check_file(model_path, "onnx", out, 1e-5)
    onnx.checker.check_model(out, full_check=True)
    assert not list(out.parent.glob("*.data"))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["static", "dynamic"])
def test_int8_is_smaller_and_says_what_it_costs(export, model_path, method):
    pytest.importorskip("onnx")
    code, lines, out = export("onnx", ".onnx", "--int8", method, "--json")
    assert code == 0, lines
    result = json.loads(lines[-1])
    assert result["int8"] == method
    assert result["bytes"] < 0.3 * 44_787_705  # of the same in float32
    assert 1e-4 < result["largest_difference"] < 0.3
    check_file(model_path, "onnx", out, 0.3)


def test_a_file_that_decides_otherwise_is_refused_and_not_kept(export, monkeypatch):
    def other(classifier, image_size, kind, path):
        classifier.network.fc.weight.data.neg_()
        formats.write(classifier, image_size, kind, path)
        classifier.network.fc.weight.data.neg_()

    monkeypatch.setattr(steps, "write", other)
    code, (line,), out = export("torchscript", ".pt")
    assert code == 1
    assert line.startswith(
        f"error: {out}: must decide as the network, with probabilities within 0.001, but got another"
    )
    assert line.endswith(". The file was not kept. Try another --format.")
    assert not list(out.parent.iterdir())


def test_images_of_which_none_can_be_read(export, photos, tmp_path):
    write_files(tmp_path / "bad", {"a.png": b"text", "b.png": b"text"})
    code, (line,), _ = export("torchscript", ".pt", "--check", str(tmp_path / "bad"))
    assert code == 2
    assert line == "error: --check: must name images that can be read, but got none among 1. Name others."


def test_a_comparison_counts_changes_and_errors_and_adds_up():
    other = np.array([[0.6, 0.4], [0.6, 0.4], [0.5, 0.5]], dtype=np.float32)
    assert compare(P, other, [0, 1, 1]) == Comparison(3, changed=1, largest=pytest.approx(0.3), wrong=(1, 2))
    whole = total([compare(P, P, [0, 0, 0]), compare(P[:1], 1 - P[:1], [0])])
    assert whole == Comparison(num=4, changed=1, largest=pytest.approx(0.2), wrong=(1, 2))
    assert whole.errors == (0.25, 0.5)
    assert total([compare(P, P, None)]).errors is None
    assert total([]).num == 0
