"""``translearn predict`` in one process: every form of source and of output, bad images, and its refusals."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deploy_cases import CLASSES
from sources import hugging_face, image, write_files

import translearn
from translearn.cli import main
from translearn.cluster.tracking import progress
from translearn.errors import StorageError
from translearn.storage.folder import Folder
from translearn.storage.whole_file import whole_file

COLUMNS = ["id", "prediction", "probability", "probability_cat", "probability_dog", "probability_newt", "reason"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """150 good images at two depths, a text that calls itself an image, half an image, and other files."""
    folder = tmp_path_factory.mktemp("photos")
    files = {f"{index % 3}/deep/{index:03d}.png": image(index, 40) for index in range(149)}
    write_files(folder, {**files, "top.PNG": image(149, 40), "0/text.jpg": b"text", "1/half.png": image(1)[:200]})
    return write_files(folder, {"notes.txt": b"", ".hidden/1.png": image(1), "Thumbs.db": b""})


@pytest.fixture(scope="module")
def expected(model_path, photos):
    """What the Python interface says of the good images."""
    paths = sorted(path for path in photos.rglob("*.png") if path.parent.name == "deep")
    found = translearn.load_model(model_path, device="cpu").predict(paths)
    return {str(path.relative_to(photos)): row for path, row in zip(paths, found.probabilities, strict=True)}


def read(path) -> pd.DataFrame:
    frame = {".csv": pd.read_csv, ".json": pd.read_json, ".parquet": pd.read_parquet}[path.suffix](path)
    return frame.astype({"reason": object}).where(frame.notna(), None)


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_a_folder_at_any_depth_with_bad_images(model_path, photos, expected, tmp_path, capsys, ending):
    out = tmp_path / f"new/p.{ending}"
    assert main(["predict", str(model_path), str(photos), "--out", str(out), "--json"]) == 0
    *notes, told, line = capsys.readouterr().out.splitlines()
    assert notes == [
        f"{photos}: files that are no images by their names (.txt), passed over: 1 (first: notes.txt)",
        f"{photos}: hidden files and folders, and those of systems, passed over: 2 (first: .hidden)",
    ]
    assert told == f"152 images, of which 2 could not be read (column reason): {out}"
    assert {**json.loads(line), "seconds": 0} == {
        "command": "predict",
        "status": "done",
        "images": 152,
        "unreadable": 2,
        "out": str(out),
        "seconds": 0,
    }
    frame = read(out)
    assert list(frame) == COLUMNS
    assert frame.id.tolist() == sorted(frame.id)
    bad = frame[frame.reason.notna()].set_index("id")
    assert bad.reason["0/text.jpg"] == "is not an image in one of the formats BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP"
    assert bad.reason["1/half.png"].startswith("cannot be decoded (")
    assert bad[["prediction", "probability", "probability_cat"]].isna().all(axis=None)
    good = frame[frame.reason.isna()].set_index("id").drop("top.PNG")
    found = good[COLUMNS[3:6]].to_numpy(dtype=np.float32)
    np.testing.assert_allclose(found, np.stack([expected[name] for name in good.index]), atol=1e-6)
    assert good.prediction.tolist() == [CLASSES[index] for index in found.argmax(1)]
    np.testing.assert_array_equal(good.probability.to_numpy(dtype=np.float32), found.max(1))
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_files_a_manifest_and_parquet_without_labels(model_path, tmp_path, monkeypatch):
    write_files(tmp_path, {"a.png": image(1), "b.png": image(2), "p.csv": b"path\na.png\ngone.png\n"})
    hugging_face(tmp_path / "h.parquet", [0, 1])
    bare = pa.table({"image": [image(1), None], "id": ["x", "y"]})
    pq.write_table(bare, tmp_path / "bare.parquet")
    monkeypatch.chdir(tmp_path)
    found = {}
    for sources in (["a.png", "b.png"], ["a.png"], ["p.csv"], ["h.parquet"], ["bare.parquet"]):
        assert main(["predict", str(model_path), *sources, "--out", "out.json", "--overwrite", "--top", "1"]) == 0
        rows = json.loads((tmp_path / "out.json").read_text())
        found[sources[-1]] = [(row["id"], row["reason"]) for row in rows]
        assert list(rows[0]) == ["id", "prediction", "probability", "reason"]
    assert found == {
        "b.png": [("a.png", None), ("b.png", None)],
        "a.png": [("a.png", None)],
        "p.csv": [("a.png", None), ("gone.png", "does not exist")],
        "h.parquet": [("all/0", None), ("all/1", None)],
        "bare.parquet": [("x", None), ("y", "has no bytes")],
    }


def test_an_object_store_at_both_ends(model_path, tmp_path, s3):
    folder = Folder.open(s3.address("predict-images"))
    for index in range(40):
        folder.write_bytes(f"{index}.png", image(index))
    out = s3.address("predict-out/p.parquet")
    assert main(["predict", str(model_path), folder.uri, "--out", out]) == 0
    where, name = Folder.holding(out)
    assert where.read_table(name).num_rows == 40
    assert where.names() == [name]


def test_every_fault_at_once_and_without_torch(tmp_path):
    write_files(tmp_path, {"empty/notes.txt": b"", "old.csv": b""})
    code = (
        "import sys; from translearn.cli import main\n"
        f"assert main(['predict', 'gone', '{tmp_path}/empty', '--out', '{tmp_path}/old.csv']) == 2\n"
        "assert not {'torch', 'ray', 'torchvision'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        f"error: {tmp_path}/gone: must be a finished model directory, but got no readable model.json. "
        "Let its training finish, or give another directory.",
        f"{tmp_path}/empty: must be image files, a folder with images at any depth, a CSV or Parquet file with a "
        "column path, Parquet with a column image, or an ingested data set, but got no image in it.",
        f"--out: must name a new file, but got {tmp_path}/old.csv, which exists. Name another file, or give "
        "--overwrite.",
    ]


def test_other_faults(model_path, tmp_path, capsys):
    write_files(tmp_path, {"a.png": image(1)})
    arguments = ["predict", str(model_path), f"{tmp_path}/a.png"]
    assert main([*arguments, "--out", "p.xlsx", "--top", "4"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: --out: must end in .csv, .parquet, .json, but got 'p.xlsx'. For example predictions.csv.",
        "top: must be from 1 to 3, the number of classes, but got 4.",
    ]
    assert main([*arguments, f"{tmp_path}/b.png", str(tmp_path), "--out", f"{tmp_path}/p.csv"]) == 2
    rule, remedy = "must be an image file, as several sources are given", "Give one folder or table, or files only."
    assert capsys.readouterr().err.splitlines() == [
        f"error: {tmp_path}/b.png: {rule}, but got nothing there. {remedy}",
        f"{tmp_path}: {rule}, but got a folder. {remedy}",
    ]


def test_what_is_interrupted_leaves_nothing(model_path, photos, tmp_path, monkeypatch):
    def stop(*_: object) -> Iterator[pa.Table]:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, "followed", stop)
    assert main(["predict", str(model_path), str(photos), "--out", str(tmp_path / "p.csv")]) == 1
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_keeps_the_old_one(tmp_path):
    folder = Folder.open(tmp_path)
    folder.write_bytes("p.csv", b"old")
    with pytest.raises(StorageError, match=r"p\.csv: cannot be written \(no space\)"), whole_file(folder, "p.csv"):
        raise OSError("no space")
    assert folder.read_bytes("p.csv") == b"old"
    assert folder.names() == ["p.csv"]


def test_progress_is_told_after_five_seconds_and_every_ten(monkeypatch, capsys):
    now = iter(range(0, 1000, 4))  # seconds between two looks at the clock
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    parts = [range(100)] * 6
    assert list(progress.followed(parts, 600, "images")) == parts
    assert capsys.readouterr().err.splitlines() == [
        "200 of 600 images, 25 images/s, 16 s left",
        "500 of 600 images, 25 images/s, 4 s left",
    ]


def test_work_of_which_no_part_is_done_yet_is_told_too(monkeypatch, capsys):
    now = iter(range(0, 1000, 4))
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    assert list(progress.followed([[], [], ["a"], ["b"]], 2, "sources ranked")) == [[], [], ["a"], ["b"]]
    assert capsys.readouterr().err == "0 of 2 sources ranked, 8 s so far\n"
