"""From a source to a data set: the same bytes each time, every fault named, nothing half there."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sources import flat_folder, hugging_face, image, split_folder, write_files

from translearn.data.ingest.ingest import IngestOptions, ingest, inspected, plan_ingest
from translearn.errors import DataError
from translearn.storage.folder import Folder


def _ingest(source: Path | str, out: Path, batch_rows: int = 64, **options):
    plan = plan_ingest(str(source), IngestOptions(**options))
    return ingest(plan, Folder.open(out), inspected(plan, batch_rows))


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_flat_folder_is_carved_and_written_in_order(tmp_path):
    dataset = _ingest(flat_folder(tmp_path / "in"), tmp_path / "out")
    assert dataset.manifest.counts == {
        "train": {"cat": 14, "dog": 14},
        "val": {"cat": 3, "dog": 3},
        "test": {"cat": 3, "dog": 3},
    }
    assert [shard.split for shard in dataset.manifest.shards] == ["test", "val", "train"]
    [table] = dataset.tables("val")
    for row in table.to_pylist():
        assert row["image"] == (tmp_path / "in" / row["id"]).read_bytes()
        assert dataset.manifest.classes[row["label"]] == row["id"].split("/")[0]


def test_same_source_gives_the_same_bytes_however_it_is_cut(tmp_path):
    source = flat_folder(tmp_path / "in")
    write_files(source, {"cat/bad.png": b"bad"})
    for out, rows in (("a", 64), ("b", 7)):
        _ingest(source, tmp_path / out, rows, max_bad_fraction=0.1)
    assert _files(tmp_path / "a") == _files(tmp_path / "b")


def test_second_ingest_reads_no_image_and_other_content_is_an_error(tmp_path):
    source, out = flat_folder(tmp_path / "in"), Folder.open(tmp_path / "out")
    first = _ingest(source, tmp_path / "out")
    untouched = iter(())
    assert ingest(plan_ingest(str(source)), out, untouched) == first
    with pytest.raises(DataError) as error:
        ingest(plan_ingest(str(source), IngestOptions(drop_leaks=True)), out, untouched)
    assert str(error.value) == (
        f"{out.uri}: options.drop_leaks: must be True as in this ingest, but got False. Choose another OUT."
    )
    write_files(source, {"cat/new.png": image(999)})
    with pytest.raises(DataError, match=r"listing of the source: must be '[0-9a-f]{64}' as in this ingest"):
        ingest(plan_ingest(str(source)), out, untouched)


def test_half_written_folder_is_replaced_and_a_strange_one_is_not_touched(tmp_path):
    source, out = flat_folder(tmp_path / "in"), Folder.open(tmp_path / "out")
    plan = plan_ingest(str(source))

    def broken():
        yield from list(inspected(plan, 8))[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(plan, out, broken())
    assert "manifest.json" not in out.names()
    assert ingest(plan, out, inspected(plan)).num_examples("train") == 28
    before = sorted(path.name for path in source.iterdir())
    with pytest.raises(DataError) as error:
        ingest(plan, Folder.open(source), inspected(plan))
    assert str(error.value) == (
        f"{source}: must be empty or an earlier ingest's folder, but got cat, dog. Choose another OUT."
    )
    assert sorted(path.name for path in source.iterdir()) == before


def test_too_many_bad_images_stop_with_the_table_and_without_a_manifest(tmp_path):
    source = flat_folder(tmp_path / "in")
    write_files(source, {"cat/000.png": b"bad", "lost.png": image(1)})
    with pytest.raises(DataError) as error:
        _ingest(source, tmp_path / "out")
    table = tmp_path / "out" / "quarantine.parquet"
    bad = pq.read_table(table).to_pylist()
    assert sorted((row["id"], row["reason"]) for row in bad) == [
        ("cat/000.png", "is not an image in one of the formats BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP"),
        ("lost.png", "has no label"),
    ]
    assert str(error.value) == (
        f"{source}: must have at most 1.0% bad images, "
        f"but got 2 of 41 (4.9%; first: {bad[0]['id']} {bad[0]['reason']}). "
        f"See {table} for the path and reason of each, or raise --max-bad-fraction."
    )
    assert not (tmp_path / "out" / "manifest.json").exists()
    manifest = _ingest(source, tmp_path / "out", max_bad_fraction=0.05).manifest
    assert manifest.num_quarantined == 2
    told = f"2 (first: {bad[0]['id']} {bad[0]['reason']})"
    assert list(map(str, manifest.notes)) == [f"bad images, left out (quarantine.parquet lists them): {told}"]


def test_leaks_are_reported_and_dropped_from_training_on_request(tmp_path):
    source = split_folder(tmp_path / "in", {"train": 3, "val": 2, "test": 2})
    write_files(source, {"train/cat/copy.png": (source / "test/dog/1.png").read_bytes()})
    kept, dropped = _ingest(source, tmp_path / "a"), _ingest(source, tmp_path / "b", drop_leaks=True)
    [row] = pq.read_table(tmp_path / "a" / "leaks.parquet").to_pylist()
    assert (row["id"], row["other_id"], row["kind"]) == ("train/cat/copy.png", "test/dog/1.png", "exact")
    assert (kept.manifest.num_leaks, kept.manifest.leaks_dropped, kept.num_examples("train")) == (1, 0, 7)
    assert (dropped.manifest.num_leaks, dropped.manifest.leaks_dropped, dropped.num_examples("train")) == (1, 1, 6)
    first = "1 (first: train/cat/copy.png is test/dog/1.png)"
    assert [str(each.manifest.notes[0]) for each in (kept, dropped)] == [
        f"exact duplicates across splits, kept unless drop_leaks is set (leaks.parquet lists them): {first}",
        f"duplicates of val or test images, left out of train (leaks.parquet lists them): {first}",
    ]


def test_classes_that_differ_between_splits(tmp_path):
    source = split_folder(tmp_path / "in", {"train": 2, "val": 1, "test": 1})
    write_files(source, {"test/emu/1.png": image(77)})
    with pytest.raises(DataError) as error:
        plan_ingest(str(source))
    remedy = "Classes must be the same in train, val and test; a class whose splits are carved needs 3 images."
    assert str(error.value).splitlines() == [
        f"{source}: {split}: must have images of all 3 classes, but got 1 missing: emu. {remedy}"
        for split in ("val", "train")
    ]


@pytest.mark.parametrize("written", ["Cat", "cat ", "CAT"])
def test_a_class_that_another_split_writes_otherwise_is_named(tmp_path, written):
    source = split_folder(tmp_path / "in", {"train": 2, "val": 1, "test": 1})
    (source / "test/cat").rename(source / "test" / written)
    with pytest.raises(DataError) as error:
        plan_ingest(str(source))
    first, *_ = str(error.value).splitlines()
    assert first.startswith(f"{source}: test: must have images of all 3 classes, but got 1 missing: cat. ")
    assert f". By {written!r}, did you mean 'cat'? Classes must be the same in train, val and test; " in first


def test_faults_of_options_and_ids_are_collected(tmp_path):
    with pytest.raises(DataError) as error:
        plan_ingest("sklearn:digits", IngestOptions(split=(0.5, 0.5, 0.5), max_bad_fraction=2, limit_per_class=0))
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == [
        "ingest.split",
        "ingest.max_bad_fraction",
        "ingest.limit_per_class",
    ]
    table = tmp_path / "t.csv"
    rows = [(f"{i // 2}.png", "ab"[i % 2]) for i in range(12)] + [("x.png", "a"), ("x.png", "a")]
    table.write_text("path,label\n" + "".join(f"{path},{label}\n" for path, label in rows))
    with pytest.raises(DataError) as error:
        plan_ingest(str(table))
    assert str(error.value).splitlines() == [
        f"{table}: must have one label for each id in a split, but got 6 with several: "
        "0.png, 1.png, 2.png, 3.png, 4.png, 5.png. Keep the row with the right one, or none of these rows.",
        f"{table}: must have one row for each id in a split, but got 1 that occur more than once: x.png. "
        "Delete the repeated rows.",
    ]


def test_an_empty_folder_and_one_class(tmp_path):
    (tmp_path / "in").mkdir()
    rule = "must have labelled images of at least 2 classes, but got 0 in 0 examples"
    with pytest.raises(DataError, match=rule):
        plan_ingest(str(tmp_path / "in"))


def test_a_class_whose_images_are_all_bad(tmp_path):
    source = split_folder(tmp_path / "in", {"train": 3, "val": 2, "test": 1})
    write_files(source, {"test/dog/0.png": b""})
    with pytest.raises(DataError, match=r"test: must have a good image of each class, but got none of dog"):
        _ingest(source, tmp_path / "out", max_bad_fraction=0.5)


def test_integers_are_ordered_as_numbers_and_limit_is_per_class_and_split(tmp_path):
    path = hugging_face(tmp_path / "x.parquet", [10, 9, 2] * 10)
    dataset = _ingest(path, tmp_path / "out", limit_per_class=2)
    assert dataset.manifest.classes == ["2", "9", "10"]
    assert {split: dataset.num_examples(split) for split in ("train", "val", "test")} == dict.fromkeys(
        ("train", "val", "test"), 6
    )


def test_an_ingested_data_set_is_a_source_with_the_same_fingerprint(tmp_path):
    first = _ingest(flat_folder(tmp_path / "in"), tmp_path / "a")
    again = _ingest(tmp_path / "a", tmp_path / "b")
    assert again.manifest.fingerprint == first.manifest.fingerprint
    assert again.manifest.shards == first.manifest.shards
