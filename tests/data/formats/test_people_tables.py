"""Tables as people have them: ids, paths and labels in the forms that pandas, Windows and Hugging Face write."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sources import hugging_face, image, write_files

from translearn.data.formats.source import open_source
from translearn.data.ingest.ingest import ingest, inspected, plan_ingest
from translearn.data.notes import notes_of
from translearn.errors import DataError
from translearn.storage.folder import Folder

HEAD = {"info": {"features": {"label": {"names": ["zebra", "ant", "moth"], "_type": "ClassLabel"}}}}


def _rows(source: object) -> list[tuple]:
    return [(row["id"], row["label"], row["split"]) for row in open_source(str(source)).listing().to_pylist()]


def _notes(source: object) -> list[str]:
    return list(map(str, notes_of(open_source(str(source)).listing())))


def _with_ids(file, ids: list, start: int, **more) -> None:
    hugging_face(file, [0, 1] * (len(ids) // 2), start, ["ant", "bee"])
    table = pq.read_table(file)
    for name, values in {"id": ids, **more}.items():
        table = table.append_column(name, pa.array(values))
    pq.write_table(table, file, row_group_size=4)


@pytest.mark.parametrize("kind", [int, str])
def test_ids_that_restart_in_each_split_are_ids(tmp_path, kind):
    ids = [kind(number) for number in range(6)]
    for number, split in enumerate(("train", "validation", "test")):
        _with_ids(tmp_path / f"{split}-0.parquet", ids, 6 * number)
    plan = plan_ingest(str(tmp_path))
    dataset = ingest(plan, Folder.open(tmp_path / "out"), inspected(plan))
    for split in ("train", "val", "test"):
        [table] = dataset.tables(split, ["id"])
        assert table["id"].to_pylist() == ["0", "1", "2", "3", "4", "5"]
    again = plan_ingest(str(tmp_path / "out"))
    assert again.listing.select(["id", "split", "label"]) == plan.listing.select(["id", "split", "label"])


@pytest.mark.parametrize(
    "ids", [[7, 7, 8, 9], ["a", None, "b", "c"], [0.5, 1.0, 2.0, 3.0], [[1], [2], [3], [4]], [b"a", b"b", b"c", b"d"]]
)
def test_a_column_id_that_tells_no_rows_apart_is_not_taken(tmp_path, ids):
    _with_ids(tmp_path / "x.parquet", ids, 0)
    assert [row[0] for row in _rows(tmp_path / "x.parquet")] == ["all/0", "all/1", "all/2", "all/3"]
    told = "files whose column id is not read, as it does not tell rows apart: 1 (first: x.parquet)"
    assert _notes(tmp_path / "x.parquet") == [told]


def test_embedded_bytes_win_over_a_column_path(tmp_path):
    file = tmp_path / "x.parquet"
    _with_ids(file, ["a", "b"], 0, path=["C:\\gone\\1.png", "C:\\gone\\2.png"])
    reader = open_source(str(file))
    assert _rows(file) == [("a", "ant", "train"), ("b", "bee", "train")]
    assert list(reader.read(reader.listing()["key"].to_pylist())) == [image(0), image(1)]
    told = "files whose column path is not read, as the images are in the file: 1 (first: x.parquet)"
    assert _notes(file) == [told]
    assert open_source(str(file), labelled=False).listing()["id"].to_pylist() == ["a", "b"]


def test_images_that_are_paths_alone_are_told_so(tmp_path):
    pq.write_table(
        pa.table({"image": [{"bytes": None, "path": "/home/me/1.png"}], "label": [0]}), tmp_path / "a.parquet"
    )
    reader = open_source(str(tmp_path / "a.parquet"))
    assert list(reader.read(["a.parquet#0#0"])) == ["has no bytes, only the path '/home/me/1.png'"]
    pq.write_table(pa.table({"image": ["1.png"], "label": [0]}), tmp_path / "b.parquet")
    with pytest.raises(DataError) as error:
        open_source(str(tmp_path / "b.parquet")).listing()
    assert str(error.value) == (
        f"{tmp_path}/b.parquet: image: must be a struct with bytes, or binary, but got string. "
        "Call a column of paths path, and name the file itself."
    )


def test_paths_made_on_windows_and_absolute_ones_below_the_table(tmp_path):
    paths = ["cat\\1.png", "data/train\\cat\\2.png", f"{tmp_path}/dog/3.png", ".\\dog\\4.png"]
    pd.DataFrame({"path": paths, "label": list("ccdd")}).to_csv(tmp_path / "T.CSV", index=False)
    assert [row[0] for row in _rows(tmp_path / "T.CSV")] == [
        "cat/1.png",
        "data/train/cat/2.png",
        "dog/3.png",
        "dog/4.png",
    ]
    assert _notes(tmp_path / "T.CSV") == ["paths with backslashes, read as slashes: 3 (first: cat\\1.png)"]


@pytest.mark.parametrize(
    "path", ["C:\\data\\1.png", "c:/data/1.png", "\\\\server\\share\\1.png", "..\\1.png", "/1.png"]
)
def test_paths_that_lead_out_are_refused_in_every_form(tmp_path, path):
    pd.DataFrame({"path": [path], "label": ["a"]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError) as error:
        open_source(str(tmp_path / "t.csv")).listing()
    shown = path.replace("\\", "/")
    assert str(error.value) == (
        f"{tmp_path}/t.csv: must name paths below the table's folder, but got 1 others: {shown}. "
        "Name them from there, or move the table to a folder above all of its images."
    )


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv_files_of_spreadsheets(tmp_path, mark):
    text = mark.join(["\ufeff" + "label", "path"]) + "\r\n" + mark.join(["a", "1.png"]) + "\r\n"
    (tmp_path / "t.csv").write_bytes(text.encode())
    assert _rows(tmp_path / "t.csv") == [("1.png", "a", "train")]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([1.0, 0.0, np.nan, 10.0], ["1", "0", None, "10"]),
        (pd.array([1, 0, None, 10], dtype="Int64"), ["1", "0", None, "10"]),
        (pd.Categorical(["b", "a", None, "b"]), ["b", "a", None, "b"]),
        (pd.Categorical([3, 1, 1, 3]), ["3", "1", "1", "3"]),
        ([" b", "a ", "", "b"], ["b", "a", None, "b"]),
        (["007", "7", "1.0", "b"], ["007", "7", "1.0", "b"]),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_labels_as_pandas_writes_them(tmp_path, labels, expected, ending):
    frame, file = pd.DataFrame({"path": list("wxyz"), "label": labels}), tmp_path / f"t.{ending}"
    frame.to_csv(file, index=False) if ending == "csv" else frame.to_parquet(file)
    assert [row[1] for row in _rows(file)] == expected
    if ending == "parquet":
        table = pq.read_table(file).drop_columns(["path"])
        pq.write_table(table.append_column("image", pa.array([b"x"] * 4)), tmp_path / "i.parquet")
        assert [row[1] for row in _rows(tmp_path / "i.parquet")] == expected


def test_booleans_are_two_classes(tmp_path):
    hugging_face(tmp_path / "x.parquet", [True, False])
    assert [row[1] for row in _rows(tmp_path / "x.parquet")] == ["true", "false"]


def test_labels_that_are_measures_are_refused(tmp_path):
    hugging_face(tmp_path / "x.parquet", [0.25, 1.0, 0.5])
    with pytest.raises(DataError) as error:
        open_source(str(tmp_path / "x.parquet")).listing()
    assert str(error.value) == (
        f"{tmp_path}/x.parquet: label: must be whole numbers where they are numbers, but got [0.25, 0.5]. "
        "Write names that look like numbers as text."
    )


def test_labels_that_are_no_names_are_refused(tmp_path):
    hugging_face(tmp_path / "x.parquet", [[0], [1]])
    with pytest.raises(DataError) as error:
        open_source(str(tmp_path / "x.parquet")).listing()
    assert str(error.value) == (
        f"{tmp_path}/x.parquet: label: must be text, whole numbers or categories, but got list<element: int64>. "
        "Write it as text."
    )


@pytest.mark.parametrize("labels", [[0, 1, 2] * 8, [0.0, 1.0, 2.0] * 8])
def test_class_label_gives_the_names_in_their_order(tmp_path, labels):
    hugging_face(tmp_path / "x.parquet", labels, names=["zebra", "ant", "moth"])
    plan = plan_ingest(str(tmp_path / "x.parquet"))
    assert plan.classes == ("zebra", "ant", "moth")
    dataset = ingest(plan, Folder.open(tmp_path / "out"), inspected(plan))
    assert plan_ingest(dataset.folder.uri).classes == ("zebra", "ant", "moth")


def test_a_test_split_without_labels_is_left_out_and_carved(tmp_path):
    hugging_face(tmp_path / "Train-0.parquet", [0, 1] * 10, 0, ["ant", "bee"])
    hugging_face(tmp_path / "Test-0.parquet", [-1] * 5, 20, ["ant", "bee"])
    plan = plan_ingest(str(tmp_path))
    assert len(plan.listing) == 20
    told = "images of test without labels, left out; test is taken from train: 5 (first: test/0)"
    assert list(map(str, plan.notes)) == [told]


def test_class_label_of_a_table_of_paths(tmp_path):
    table = pa.table({"path": [f"{number}.png" for number in range(12)], "label": [2, 0] * 6})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(HEAD)}), tmp_path / "t.parquet")
    write_files(tmp_path, {f"{number}.png": image(number) for number in range(12)})
    plan = plan_ingest(str(tmp_path / "t.parquet"))
    assert plan.classes == ("zebra", "moth")
    [left_out] = map(str, plan.notes)
    assert left_out == "classes that the source names without an image, left out: 1 (first: ant)"
    assert plan.listing.filter(plan.listing["label"].to_numpy() == 0)["id"].to_pylist()[0] in {
        f"{number}.png" for number in range(1, 12, 2)
    }
