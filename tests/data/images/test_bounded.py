"""Parquet files of a few hundred bytes that stand for gigabytes: refused with one message, before they are unpacked."""

from __future__ import annotations

import resource
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sources import hugging_face, image

from translearn.data import bounded
from translearn.data.formats.source import open_source
from translearn.data.ingest.plan import inspected, plan_ingest
from translearn.errors import DataError


def written(path: Path, columns: dict[str, pa.Array]) -> Path:
    limits = {"dictionary_pagesize_limit": 2**30, "row_group_size": 2**30}
    pq.write_table(pa.table(columns), path, compression="zstd", store_schema=False, **limits)
    assert path.stat().st_size < 100_000
    return path


def repeated(value: object, num: int) -> pa.Array:
    """One value in so many rows, kept once."""
    return pa.DictionaryArray.from_arrays(pa.nulls(num, pa.int32()).fill_null(0), [value])


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("column", ["path", "image"])
def test_rows_without_end_are_refused_by_the_footer(tmp_path: Path, column: str) -> None:
    num = bounded.MAX_ROWS + 1
    kind = {"path": pa.string(), "image": pa.binary()}[column]
    path = written(tmp_path / "t.parquet", {column: pa.nulls(num, kind), "label": pa.nulls(num, pa.string())})
    with pytest.raises(DataError) as caught:
        plan_ingest(str(path))
    assert str(caught.value) == (
        f"{path}: must have at most 20,000,000 rows, but got 20,000,001. "
        "Write it as several files, or with smaller row groups."
    )


def test_an_image_that_is_repeated_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MAX_UNPACKED", 10**8)
    images = pa.StructArray.from_arrays([repeated(b"x" * 10**6, 10_000)], ["bytes"])  # 10 GB
    path = written(tmp_path / "t.parquet", {"image": images, "label": pa.array([0, 1] * 5000)})
    plan, before = plan_ingest(str(path)), peak_bytes()
    with pytest.raises(DataError) as caught:
        list(inspected(plan))
    assert str(caught.value).startswith(f"{path}: row group 0: must unpack to at most 100,000,000 bytes, but got more.")
    assert peak_bytes() - before < 6 * 10**8


@pytest.mark.parametrize("column", ["label", "path", "id"])
def test_a_text_that_is_repeated_without_end_is_refused(tmp_path: Path, column: str) -> None:
    num = 10**6
    first = "image" if column == "id" else "path"
    columns = {first: pa.nulls(num, pa.binary() if column == "id" else pa.string()), "label": repeated("a", num)}
    before = peak_bytes()
    path = written(tmp_path / "t.parquet", columns | {column: repeated("x" * 10_001, num)})  # 10 GB
    with pytest.raises(DataError, match=f"{column}: must be texts of at most 10,000 bytes, but got a longer one"):
        plan_ingest(str(path))
    assert peak_bytes() - before < 6 * 10**8


def test_texts_that_become_too_large_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MAX_UNPACKED", 10**8)
    columns = {"path": repeated("x" * 500, 10**6), "label": repeated("a", 10**6)}
    path = written(tmp_path / "t.parquet", columns)
    with pytest.raises(DataError, match="must unpack to at most 100,000,000 bytes, but got more"):
        open_source(str(path)).listing()


def test_what_a_footer_says_of_texts_is_believed_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MAX_UNPACKED", 1000)
    pq.write_table(pa.table({"path": [f"{n}.png" for n in range(500)], "label": ["a"] * 500}), tmp_path / "t.parquet")
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(DataError, match="must unpack to at most 1,000 bytes, but got more"):
        open_source(str(tmp_path / "t.parquet")).listing()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_sound_tables_are_read_as_before(tmp_path: Path, kind: pa.DataType) -> None:
    labels = pa.array(["ant", "bee", None, "ant"]).cast(kind)
    pq.write_table(
        pa.table({"path": ["a", "b", "c", "d"], "label": labels, "other": [[1]] * 4}), tmp_path / "t.parquet"
    )
    listing = open_source(str(tmp_path / "t.parquet")).listing()
    assert listing["label"].to_pylist() == ["ant", "bee", None, "ant"]
    images = open_source(str(hugging_face(tmp_path / "u.parquet", [0, 1] * 4)))
    assert list(images.read(images.listing()["key"].to_pylist())) == [image(n) for n in range(8)]
