"""What each format lists and reads."""

from __future__ import annotations

import gzip
import inspect
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torchvision.datasets
from sources import flat_folder, hugging_face, image, split_folder, write_files

from translearn.data.formats.source import open_source
from translearn.data.formats.torchvision_sets import KNOWN, TorchvisionImages
from translearn.errors import DataError


def _rows(source: object) -> list[tuple]:
    return [(row["id"], row["label"], row["split"]) for row in open_source(str(source)).listing().to_pylist()]


def test_folder_with_splits_and_a_validation_folder(tmp_path):
    rows = _rows(split_folder(tmp_path, {"train": 2, "validation": 1, "test": 1}))
    assert ("validation/dog/0.png", "dog", "val") in rows
    assert [split for _, _, split in rows].count("train") == 4


def test_flat_folder_nested_and_stray_files(tmp_path):
    files = {"cat/deep/1.png": b"", "dog/photo": b"", ".DS_Store": b"", "cat/Thumbs.db": b"", "lost.jpg": b""}
    write_files(tmp_path, {**files, "README.md": b""})
    assert _rows(tmp_path) == [
        ("cat/deep/1.png", "cat", "train"),
        ("dog/photo", "dog", "train"),
        ("lost.jpg", None, "train"),
    ]


def test_folder_of_splits_and_classes_is_ambiguous(tmp_path):
    split_folder(tmp_path, {"train": 1, "val": 1, "valid": 1})
    flat_folder(tmp_path, 1, ("bird",))
    with pytest.raises(DataError) as error:
        open_source(str(tmp_path)).listing()
    assert str(error.value) == (
        f"{tmp_path}: must hold either split folders or class folders, but got both: bird. Move the others elsewhere.\n"
        f"{tmp_path}: must have one folder for the val split, but got val and valid. Merge them, or rename one that is "
        "another split."
    )


def test_csv_of_paths(tmp_path):
    write_files(tmp_path, {"a/1.png": image(1), "t.csv": b"path,label,split\na/1.png,007,train\n./b.png,,valid\n"})
    reader = open_source(str(tmp_path / "t.csv"))
    assert _rows(tmp_path / "t.csv") == [("a/1.png", "007", "train"), ("b.png", None, "val")]
    assert list(reader.read(["a/1.png", "b.png"])) == [image(1), "does not exist"]


def test_parquet_of_paths_without_split(tmp_path):
    pq.write_table(pa.table({"path": ["x.png", "y.png"], "label": [3, None]}), tmp_path / "t.parquet")
    assert _rows(tmp_path / "t.parquet") == [("x.png", "3", "train"), ("y.png", None, "train")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "file,label\na,b\n",
            "must have a column 'path', but got ['file', 'label']. Known: file, label.",
        ),
        (
            "path,label,split\na,b,trian\n",
            "must name known splits, but got ['trian']. "
            "Did you mean 'train'? Known: train, training, val, valid, validation, dev, eval, evaluation, test, "
            "testing.",
        ),
        ("path,label\n,b\n", "must have a path in each row, but got 1 without. Delete these rows or fill in the path."),
    ],
)
def test_faults_of_a_csv_file(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError) as error:
        open_source(str(tmp_path / "t.csv")).listing()
    assert str(error.value) == f"{tmp_path}/t.csv: {message}"


def test_hugging_face_folder_with_class_names_and_splits(tmp_path):
    hugging_face(tmp_path / "data" / "train-00000-of-00002.parquet", [0, 1, -1, 0, 1], 0, ["ant", "bee"])
    hugging_face(tmp_path / "data" / "train-00001-of-00002.parquet", [1], 5, ["ant", "bee"])
    hugging_face(tmp_path / "data" / "validation-00000-of-00001.parquet", [1, 0], 6, ["ant", "bee"])
    rows = _rows(tmp_path)
    assert rows[2:4] == [("train/2", None, "train"), ("train/3", "ant", "train")]
    assert rows[5:7] == [("train/5", "bee", "train"), ("val/0", "bee", "val")]
    reader = open_source(str(tmp_path))
    keys = reader.listing()["key"].to_pylist()
    assert list(reader.read(keys)) == [image(number) for number in range(8)]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Training.parquet", "Testing.parquet"),
        ("my_train.parquet", "my_test.parquet"),
        ("TRAIN-0.parquet", "eval-0.parquet"),
    ],
)
def test_files_that_speak_of_splits_in_other_words(tmp_path, train, test):
    hugging_face(tmp_path / train, ["a", "b"])
    hugging_face(tmp_path / test, ["a", "b"], 2)
    split = "val" if "eval" in test else "test"
    assert sorted(row[2] for row in _rows(tmp_path)) == sorted(["train", "train", split, split])
    assert {row[2] for row in _rows(tmp_path / test)} == {"train"}  # alone it is all that there is
    hugging_face(tmp_path / "more.parquet", ["a"])
    with pytest.raises(DataError, match=r"must all speak of a split .* but got \['more.parquet'\]"):
        open_source(str(tmp_path))


def test_splits_of_a_table_in_other_words(tmp_path):
    (tmp_path / "t.csv").write_text("path,label,split\na.png,a,Training\nb.png,b, TEST\nc.png,c,dev\n")
    assert [split for _, _, split in _rows(tmp_path / "t.csv")] == ["train", "test", "val"]


@pytest.mark.parametrize("labels", [[2, 10], ["2", "10"]])
def test_single_file_with_plain_labels(tmp_path, labels):
    path = hugging_face(tmp_path / "images.parquet", labels)
    assert _rows(path) == [("all/0", "2", "train"), ("all/1", "10", "train")]


def test_faults_of_a_parquet_file(tmp_path):
    hugging_face(tmp_path / "a.parquet", [0, 5], names=["ant", "bee"])
    with pytest.raises(DataError, match=r"label: must be below 2, the number of names, but got 5\. Mend these labels"):
        open_source(str(tmp_path / "a.parquet")).listing()
    pq.write_table(pa.table({"img": [b""], "labels": [1.5]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"must have a column 'label', .* Did you mean 'labels'"):
        open_source(str(tmp_path / "b.parquet")).listing()
    (tmp_path / "c.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"must be a whole Parquet file"):
        open_source(str(tmp_path / "c.parquet"))


@pytest.mark.parametrize("name", KNOWN)
def test_constructors_of_torchvision_take_the_arguments_of_the_table(name):
    signature = inspect.signature(getattr(torchvision.datasets, name).__init__)
    for arguments in KNOWN[name].splits.values():
        signature.bind(None, **({} if name == "FakeData" else {"root": ""}), **arguments)


def test_torchvision_arrays_from_its_cache(tmp_path):
    raw, pixels = tmp_path / "MNIST" / "raw", np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)
    raw.mkdir(parents=True)
    for prefix in ("train", "t10k"):
        for name, header, content in (
            ("images-idx3-ubyte", struct.pack(">4i", 0x803, 2, 28, 28), pixels.tobytes()),
            ("labels-idx1-ubyte", struct.pack(">2i", 0x801, 2), bytes([7, 1])),
        ):
            (raw / f"{prefix}-{name}").write_bytes(header + content)
            (raw / f"{prefix}-{name}.gz").write_bytes(gzip.compress(header + content))
    reader = TorchvisionImages("MNIST", str(tmp_path))
    table = reader.listing()
    assert table["id"].to_pylist() == ["train/0", "train/1", "test/0", "test/1"]
    assert table["label"].to_pylist() == ["7 - seven", "1 - one"] * 2
    from translearn.data.images.pixels import open_rgb

    [content] = reader.read(["test/1"])
    assert np.array_equal(np.asarray(open_rgb(content))[..., 0], pixels[1])


def test_torchvision_files_are_passed_on_as_they_are(tmp_path):
    files = {f"food-101/images/{name}/1.jpg": image(n) for n, name in enumerate(("pie", "rice"))}
    write_files(tmp_path, files)
    meta = b'{"pie": ["pie/1"], "rice": ["rice/1"]}'
    write_files(tmp_path, {f"food-101/meta/{split}.json": meta for split in ("train", "test")})
    reader = TorchvisionImages("Food101", str(tmp_path))
    assert reader.listing()["label"].to_pylist() == ["pie", "rice"] * 2
    assert list(reader.read(["train/1"])) == [image(1)]


def test_torchvision_without_files_or_net_names_the_folder(tmp_path, monkeypatch):
    def offline(*_, **__):
        raise OSError("no net")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(DataError) as error:
        TorchvisionImages("CIFAR10", str(tmp_path)).listing()
    assert str(error.value) == (
        "torchvision:CIFAR10: must be in the cache or downloadable, but got an error (no net). "
        f"Put the files that torchvision.datasets.CIFAR10 keeps below its root into {tmp_path}, or set TRANSLEARN_DATA."
    )
