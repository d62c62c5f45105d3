"""A data set whose files were cut off or swapped is seen by their ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sources import flat_folder

from translearn.data.damage import damaged_shards
from translearn.data.dataset import Dataset, open_dataset
from translearn.data.ingest.ingest import ingest, inspected, plan_ingest
from translearn.storage.folder import Folder


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    plan = plan_ingest(str(flat_folder(tmp_path / "in")))
    ingest(plan, Folder.open(tmp_path / "out"), inspected(plan))
    return open_dataset(str(tmp_path / "out"))


def test_a_whole_data_set_has_no_damage(dataset: Dataset) -> None:
    assert damaged_shards(dataset) == []


@pytest.mark.parametrize("length", [0, 3, 100, -1])
def test_files_that_were_cut_off_are_named_all_at_once(dataset: Dataset, length: int) -> None:
    folder = Path(dataset.folder.path)
    for split in ("test", "val"):
        file = folder / f"{split}-00000.parquet"
        file.write_bytes(file.read_bytes()[:length])
    lines = damaged_shards(dataset)
    assert len(lines) == 2
    for line, split in zip(sorted(lines), ("test", "val"), strict=True):
        assert line.startswith(
            f"{folder}/{split}-00000.parquet: must be a Parquet file of 6 rows, but got something else ("
        )
        assert line.endswith("It was cut off or replaced: copy the data set again, or ingest again into a new folder.")


def test_a_file_with_other_rows_is_told_of(dataset: Dataset) -> None:
    folder = Path(dataset.folder.path)
    shutil.copy(folder / "train-00000.parquet", folder / "val-00000.parquet")
    (line,) = damaged_shards(dataset)
    assert line.startswith(f"{folder}/val-00000.parquet: must be a Parquet file of 6 rows, but got 28 rows. ")
