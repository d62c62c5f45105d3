"""Only a whole data set opens; damage is found when rows are read."""

from __future__ import annotations

import json

import pytest
from sources import flat_folder

from translearn.data.dataset import open_dataset
from translearn.data.ingest.ingest import ingest, inspected, plan_ingest
from translearn.errors import DataError, StorageError
from translearn.storage.folder import Folder


@pytest.fixture
def out(tmp_path):
    plan = plan_ingest(str(flat_folder(tmp_path / "in")))
    ingest(plan, Folder.open(tmp_path / "out"), inspected(plan))
    return tmp_path / "out"


def test_columns_and_counts(out):
    dataset = open_dataset(str(out))
    [table] = dataset.tables("train", columns=["label"])
    assert table.column_names == ["label"]
    assert len(table) == dataset.num_examples("train") == 28
    assert dataset.num_examples("other") == 0


def test_no_manifest(out):
    (out / "manifest.json").unlink()
    with pytest.raises(DataError) as error:
        open_dataset(str(out))
    assert str(error.value) == (
        f"{out}: must hold manifest.json, which ingest writes last, but got none. Run `translearn ingest SRC {out}`."
    )


def test_missing_and_changed_shards(out):
    shard = out / "val-00000.parquet"
    content = shard.read_bytes()
    shard.write_bytes(content[:50] + b"?" + content[51:])
    with pytest.raises(DataError, match=r"val-00000.parquet: must have the SHA-256 .* changed or damaged"):
        list(open_dataset(str(out)).tables("val"))
    shard.unlink()
    with pytest.raises(DataError, match=r"val-00000.parquet: must exist, but got no file. Copy the data set again."):
        open_dataset(str(out))


@pytest.mark.parametrize("name", ["../train-00000.parquet", "/etc/passwd", "a/b.parquet", ".hidden", ""])
def test_a_manifest_that_names_files_elsewhere_is_refused(out, name):
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["shards"][0]["file"] = name
    (out / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"manifest.json: must be a manifest of this version, but got 1 error"):
        open_dataset(str(out))


def test_malformed_manifest(out):
    (out / "manifest.json").write_text("{}")
    with pytest.raises(DataError, match=r"manifest.json: must be a manifest of this version, but got \d+ errors"):
        open_dataset(str(out))


@pytest.mark.parametrize("columns", [None, ["label"]])
def test_a_data_set_that_goes_away_is_a_storage_error(out, columns):
    dataset = open_dataset(str(out))
    out.rename(out.with_name("elsewhere"))
    with pytest.raises(StorageError, match=rf"^{out}/val-00000\.parquet: cannot be read \("):
        list(dataset.tables("val", columns))
