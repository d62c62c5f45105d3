"""One picture under two labels is listed and counted, within a split and across."""

from __future__ import annotations

import pyarrow.parquet as pq
from sources import image, split_folder, write_files

from translearn.data.images.pixels import encode_png, open_rgb
from translearn.data.ingest.ingest import ingest, inspected, plan_ingest
from translearn.storage.folder import Folder


def test_pictures_under_two_labels_are_listed_and_counted(tmp_path):
    source = split_folder(tmp_path / "in", {"train": 3, "val": 2, "test": 2})
    again = encode_png(open_rgb((source / "test/dog/1.png").read_bytes()))
    write_files(
        source,
        {
            "train/cat/copy.png": again,  # across splits
            "train/dog/0b.png": (source / "train/cat/0.png").read_bytes(),  # within one
            "train/cat/1b.png": (source / "train/cat/1.png").read_bytes(),  # the same label
        },
    )
    plan = plan_ingest(str(source))
    manifest = ingest(plan, Folder.open(tmp_path / "out"), inspected(plan)).manifest
    rows = pq.read_table(tmp_path / "out" / "conflicts.parquet").to_pylist()
    assert sorted((row["id"], row["split"], row["label"]) for row in rows) == [
        ("test/dog/1.png", "test", "dog"),
        ("train/cat/0.png", "train", "cat"),
        ("train/cat/copy.png", "train", "cat"),
        ("train/dog/0b.png", "train", "dog"),
    ]
    assert [row["digest"] for row in rows] == sorted(row["digest"] for row in rows)
    assert (manifest.num_conflicts, len({row["digest"] for row in rows})) == (2, 2)
    first = "test/dog/1.png as dog and train/cat/copy.png as cat"
    told = f"pictures under several labels, kept (conflicts.parquet lists them): 2 (first: {first})"
    assert told in map(str, manifest.notes)


def test_without_any_there_is_no_note(tmp_path):
    source = write_files(
        tmp_path / "in", {f"{c}/{n}.png": image(10 * n + k) for k, c in enumerate("ab") for n in range(4)}
    )
    plan = plan_ingest(str(source))
    manifest = ingest(plan, Folder.open(tmp_path / "out"), inspected(plan)).manifest
    assert (manifest.num_conflicts, manifest.notes) == (0, [])
    assert pq.read_table(tmp_path / "out" / "conflicts.parquet").num_rows == 0
