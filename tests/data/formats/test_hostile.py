"""Data that nobody vouches for: each source is read, or refused with a message; nothing else happens."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import tempfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sources import hugging_face, image, write_files

from translearn.data.formats.source import open_source
from translearn.data.ingest.ingest import ingest
from translearn.data.ingest.options import IngestOptions
from translearn.data.ingest.plan import inspected, plan_ingest
from translearn.errors import DataError
from translearn.storage.folder import Folder

_plain = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(), st.binary())
_values = st.recursive(
    _plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
_images = st.one_of(
    st.integers(0, 5).map(image),
    st.binary(max_size=30),
    st.integers(0, 5).map(lambda n: {"bytes": image(n), "path": None}),
    st.fixed_dictionaries({"bytes": st.none() | st.binary(max_size=9), "path": st.none() | st.text()}),
)


def columns(*values: st.SearchStrategy) -> st.SearchStrategy[pa.Array]:
    """A column of one kind of values, or of any; nulls where Arrow has no such column."""

    def array(items: list) -> pa.Array:
        try:
            return pa.array(items)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError, ValueError):
            return pa.nulls(len(items))

    kinds = st.one_of(*values, *(st.just(_plain), st.just(_values)))
    return kinds.flatmap(lambda kind: st.lists(kind, min_size=6, max_size=6)).map(array)


TABLES = st.fixed_dictionaries(
    {"image": columns(st.just(_images))},
    optional={
        "label": columns(st.just(st.sampled_from(["ant", "bee"])), st.just(st.integers(-1, 2))),
        "id": columns(st.just(st.text())),
        "path": columns(st.just(st.text())),
        "split": columns(st.just(st.sampled_from(["train", "val", "test"]))),
    },
)
METADATA = st.none() | st.binary(max_size=40) | _values.map(lambda value: json.dumps(value, default=str).encode())


EDITS = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 6), st.binary(max_size=6)), min_size=1, max_size=5)


def ingested(source: Path) -> None:
    """The whole way of a source; what is wrong with it is a DataError."""
    plan = plan_ingest(str(source), IngestOptions(max_bad_fraction=1.0))
    with tempfile.TemporaryDirectory() as out:
        ingest(plan, Folder.open(out) / "set", inspected(plan))


@settings(max_examples=150, deadline=None)
@given(TABLES, METADATA)
def test_any_parquet_file_is_ingested_or_refused(table, metadata):
    with tempfile.TemporaryDirectory() as folder:
        content = pa.table(table)
        if metadata is not None:
            content = content.replace_schema_metadata({"huggingface": metadata})
        try:
            pq.write_table(content, Path(folder) / "t.parquet")
        except (pa.ArrowException, NotImplementedError):
            return
        with suppress(DataError):
            ingested(Path(folder) / "t.parquet")


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.sampled_from(["t.csv", "t.parquet", "a/b.png"])
)
def test_any_bytes_are_refused(content, name):
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), {name: content})
        with pytest.raises(DataError):
            ingested(Path(folder) / name if name.startswith("t.") else Path(folder))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_parquet_file_is_ingested_or_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        path = hugging_face(Path(folder) / "t.parquet", [0, 1] * 4)
        content = bytearray(path.read_bytes())
        for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
            content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        with suppress(DataError):
            ingested(path)


def _damaged(path: Path, back: int, change: int) -> Path:
    """The file of ``hugging_face`` with a byte changed, counted from its end."""
    content = bytearray(hugging_face(path, [0, 1] * 4).read_bytes())
    content[-back] ^= change
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("back", range(3315, 3335))
def test_no_damage_of_a_footer_ends_the_process(tmp_path, back):
    """Some of these make pyarrow call ``std::terminate`` where a column's entry in the footer is asked for."""
    with suppress(DataError):
        ingested(_damaged(tmp_path / "t.parquet", back, 1))


@pytest.mark.parametrize(
    ("back", "change", "got"),
    [
        (3307, 6, "11 rows that are 8 and 8 elsewhere in it"),
        (446, 6, "8 rows that are 11 and 8 elsewhere in it"),
        (1843, 73, "4 rows that are 0 elsewhere in it"),
    ],
    ids=["footer", "row group", "images"],
)
def test_a_file_whose_parts_disagree_on_the_number_of_rows_is_refused(tmp_path, back, change, got):
    path = _damaged(tmp_path / "t.parquet", back, change)
    with pytest.raises(DataError) as raised:
        ingested(path)
    assert str(raised.value) == f"{path}: must be a whole Parquet file, but got {got}. Copy it again."


def test_a_table_of_damaged_texts_is_refused(tmp_path):
    names = pa.array([b"\xc6.png", b"1.png"]).view(pa.string())
    pq.write_table(pa.table({"path": names, "label": ["a", "b"]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"must be a table, but got none.*Invalid UTF8 sequence"):
        ingested(tmp_path / "t.parquet")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_changed_table_of_paths_is_ingested_or_refused(data):
    """Valid CSV and Parquet with bytes flipped, cut out or put in."""
    names = [f"{n}.png" for n in range(8)]
    name = data.draw(st.sampled_from(["t.csv", "t.parquet"]))
    with tempfile.TemporaryDirectory() as folder:
        root = write_files(Path(folder), {name: image(n) for n, name in enumerate(names)})
        rows = "path,label,split\n" + "".join(f"{name},{'ab'[n % 2]},train\n" for n, name in enumerate(names))
        (root / "t.csv").write_text(rows)
        pq.write_table(pa.table({"path": names, "label": ["a", "b"] * 4}), root / "t.parquet")
        content = (root / name).read_bytes()
        for place, length, new in data.draw(EDITS):
            at = place % (len(content) + 1)
            content = content[:at] + new + content[at + length :]
        (root / name).write_bytes(content)
        with suppress(DataError):
            ingested(root / name)


@pytest.mark.parametrize("inside", ["../up/{}", "/tmp/translearn-up-{}", "a/{}"])
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("in_folder", [False, True])
def test_archives_are_never_unpacked(tmp_path, inside, kind, in_folder):
    inner = tmp_path / "a" / "b"
    path = inner / "class" / f"t.{kind}" if in_folder else inner / f"t.{kind}"
    names = [inside.format(f"{n}.png") for n in range(8)]
    write_files(inner, {str(path.relative_to(inner)): packed(kind, names)})
    before = {*tmp_path.rglob("*"), *Path("/tmp").glob("translearn-up-*")}
    with pytest.raises(DataError) as error:
        ingested(inner if in_folder else path)
    assert {*tmp_path.rglob("*"), *Path("/tmp").glob("translearn-up-*")} == before
    if not in_folder:
        assert str(error.value).endswith(
            "but got an archive, which is never unpacked. Unpack it yourself, where you trust it, and name the folder."
        )


def packed(kind: str, names: list[str]) -> bytes:
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w") as archive:
            for n, name in enumerate(names):
                archive.writestr(name, image(n))
        return stream.getvalue()
    with tarfile.open(fileobj=stream, mode="w:gz" if kind.endswith("gz") else "w") as archive:
        for n, name in enumerate(names):
            entry = tarfile.TarInfo(name)
            entry.size = len(image(n))
            archive.addfile(entry, io.BytesIO(image(n)))
    return stream.getvalue()


@pytest.mark.parametrize("path", ["../secret.png", "a/../../secret.png", "/etc/passwd"])
def test_a_table_that_names_files_outside_of_its_folder_is_refused(tmp_path, path):
    write_files(tmp_path, {"set/t.csv": f"path,label\n{path},a\nb.png,b\n".encode(), "secret.png": image(1)})
    with pytest.raises(DataError) as error:
        open_source(str(tmp_path / "set" / "t.csv")).listing()
    assert str(error.value) == (
        f"{tmp_path}/set/t.csv: must name paths below the table's folder, but got 1 others: {path}. "
        "Name them from there, or move the table to a folder above all of its images."
    )


@pytest.mark.parametrize("name", ["x" * 201, "a\nb", "a\x1b[31mb", "a\x00b", "a\u202eb"])
def test_class_names_that_would_harm_a_terminal_or_a_page_are_refused(tmp_path, name):
    hugging_face(tmp_path / "t.parquet", [0, 1] * 4, names=["ant", name])
    with pytest.raises(DataError, match="must have class names of at most 200 printable characters, but got 1 others"):
        plan_ingest(str(tmp_path / "t.parquet"))


@pytest.mark.parametrize("name", ["../up", "a/b", "<script>alert(1)</script>", "C:\\x", "漢字", "%s {x}"])
def test_class_names_with_markup_or_separators_are_names_only(tmp_path, name):
    hugging_face(tmp_path / "t.parquet", [0, 1] * 4, names=["ant", name])
    plan = plan_ingest(str(tmp_path / "t.parquet"))
    dataset = ingest(plan, Folder.open(tmp_path) / "set", inspected(plan))
    assert sorted(dataset.manifest.classes) == sorted(["ant", name])
    assert all(Path(path.name) == Path(path.name.replace("/", "")) for path in (tmp_path / "set").iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"t.parquet", "set"}


def test_a_class_name_of_a_megabyte_is_refused_in_few_words(tmp_path):
    hugging_face(tmp_path / "t.parquet", ["a", "x" * 10**6] * 4)
    with pytest.raises(DataError) as error:
        plan_ingest(str(tmp_path / "t.parquet"))
    assert len(str(error.value)) < 500


def test_thousands_of_classes_are_shown_in_few_words(tmp_path):
    pq.write_table(pa.table({"image": [image(0)] * 9999, "label": list(range(9999))}), tmp_path / "t.parquet")
    with pytest.raises(DataError) as error:
        plan_ingest(str(tmp_path / "t.parquet"))
    assert len(str(error.value)) < 2000


def test_labels_without_end_are_labels(tmp_path):
    hugging_face(tmp_path / "t.parquet", [0, 2**62] * 4)
    assert plan_ingest(str(tmp_path / "t.parquet")).classes == ("0", str(2**62))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims so many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b"")
    )


def test_image_bombs_are_set_aside_unread(tmp_path):
    files = {f"{name}/{n}.png": image(n + 10 * (name == "b")) for name in "ab" for n in range(8)}
    write_files(tmp_path, {**files, "a/bomb.png": bomb(60_000, 60_000), "a/line.png": bomb(2**31 - 1, 1)})
    plan = plan_ingest(str(tmp_path), IngestOptions(max_bad_fraction=0.5))
    rows = [row for table in inspected(plan) for row in table.to_pylist() if row["reason"]]
    reasons = {row["id"]: row["reason"] for row in rows}
    assert set(reasons) == {"a/bomb.png", "a/line.png"}
    assert all("pixels, more than" in reason for reason in reasons.values())


def test_many_bad_images_in_a_row_are_set_aside(tmp_path):
    """More than a batch of them; generated examples found that ingest broke there."""
    splits = [(split, name) for split in ("train", "val", "test") for name in "ab"]
    bad = {f"train/a/{n:03d}.png": b"no image" for n in range(150)}
    good = {
        f"{split}/{name}/z{n}.png": image(10 * row + n) for row, (split, name) in enumerate(splits) for n in range(3)
    }
    plan = plan_ingest(str(write_files(tmp_path / "in", bad | good)), IngestOptions(max_bad_fraction=1.0))
    dataset = ingest(plan, Folder.open(tmp_path / "out"), inspected(plan))
    assert dataset.manifest.num_quarantined == 150
    assert sum(dataset.num_examples(split) for split in ("train", "val", "test")) == 18


@pytest.mark.parametrize(
    ("columns_", "message"),
    [
        ({"path": ["a.png", "b.png"], "label": [["x"], ["y"]]}, "label: must be text or numbers, but got list<"),
        ({"path": [b"a.png", b"b.png"], "label": ["x", "y"]}, "path: must be text or numbers, but got binary"),
        ({"image": [1.5, 2.5], "label": ["x", "y"]}, "image: must be a struct with bytes, or binary, but got double"),
    ],
)
def test_columns_of_other_types_are_named(tmp_path, columns_, message):
    pq.write_table(pa.table(columns_), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=message):
        plan_ingest(str(tmp_path / "t.parquet"))


@pytest.mark.parametrize(
    "metadata", [b"\xff", b"[1]", b'{"info": 3}', b'{"info": {"features": {"label": {"names": [1]}}}}']
)
def test_strange_class_names_in_the_metadata_are_refused(tmp_path, metadata):
    table = pa.table({"image": [image(0), image(1)], "label": [0, 1]})
    pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="huggingface metadata: must be a mapping with the names of the classes"):
        plan_ingest(str(tmp_path / "t.parquet"))


def test_a_csv_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes("pfad,größe\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"t.csv: must be a table, but got none"):
        plan_ingest(str(tmp_path / "t.csv"))
