"""Directories: files whole or not at all, the same on a local disk and on another file system."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pytest

from translearn.errors import InputError, StorageError, TranslearnError
from translearn.storage.folder import Folder


@pytest.fixture(params=["path", "file://", "s3://", "other"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """A directory that does not exist yet; "other": with folders, and no LocalFileSystem."""
    if request.param == "path":
        return Folder.open(tmp_path / "study")
    if request.param == "file://":
        return Folder.open(f"file://{tmp_path}/study")
    if request.param == "s3://":
        return Folder.open(request.getfixturevalue("s3").address(f"{tmp_path.name}/study"))
    return Folder(pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem()), "study", "hdfs://host/study")


def test_only_a_local_file_system_is_local(folder: Folder) -> None:
    assert folder.is_local == isinstance(folder.fs, pafs.LocalFileSystem)
    assert (folder / "x").uri == folder.address("x")
    assert (folder / "x").path == folder.file("x")
    assert (folder / "x").parent == folder


def test_an_address_opens_what_it_names(folder: Folder) -> None:
    (folder / "a").write_bytes("x", b"1")
    if folder.uri.startswith("hdfs://"):
        return
    assert Folder.open((folder / "a").uri).read_bytes("x") == b"1"
    holding, name = Folder.holding((folder / "a").address("x"))
    assert (holding.path, name, holding.read_bytes(name)) == ((folder / "a").path, "x", b"1")


def test_another_process_has_the_same_folder(folder: Folder) -> None:
    folder.write_bytes("x", b"1")
    assert pickle.loads(pickle.dumps(folder)).read_bytes("x") == b"1"


def test_bytes_json_and_tables_come_back(folder: Folder) -> None:
    below = folder / "a" / "b"
    table = pa.table({"x": [1, None], "y": ["é", ""]})
    below.write_bytes("raw", b"\x00\xff")
    below.write_json("v.json", {"z": [1, None, "é"], "a": 1e-5})
    below.write_table("t.parquet", table)
    assert below.read_bytes("raw") == b"\x00\xff"
    assert list(below.read_json("v.json").items()) == [("z", [1, None, "é"]), ("a", 1e-5)]
    assert below.read_table("t.parquet").equals(table)
    assert below.names() == ["raw", "t.parquet", "v.json"]
    assert folder.names() == ["a"]


def test_a_second_write_replaces_the_first(folder: Folder) -> None:
    folder.write_bytes("x", b"long content")
    folder.write_bytes("x", b"new")
    assert folder.read_bytes("x") == b"new"
    assert folder.names() == ["x"]


def test_what_is_not_there(folder: Folder) -> None:
    assert not folder.exists()
    assert not folder.exists("x")
    assert folder.names() == []
    folder.remove()
    folder.remove_file("x")
    assert folder.make().exists()
    with pytest.raises(StorageError, match=rf"^{re.escape(folder.address('x'))}: cannot be read \("):
        folder.read_bytes("x")


def test_removing(folder: Folder) -> None:
    (folder / "a").write_bytes("x", b"1")
    (folder / "a").write_bytes("y", b"2")
    (folder / "a").remove_file("x")
    assert (folder / "a").names() == ["y"]
    folder.remove()
    assert not folder.exists()


def test_a_damaged_file_is_named_with_a_remedy(folder: Folder) -> None:
    folder.write_bytes("x", b"{")
    again, where = "Delete it to have it made again.", re.escape(folder.address("x"))
    with pytest.raises(StorageError, match=rf"^{where}: is not JSON \(.*\)\. {again}$"):
        folder.read_json("x")
    with pytest.raises(StorageError, match=rf"^{where}: is not Parquet \((.|\n)*\)\. {again}$"):
        folder.read_table("x")


def test_json_refuses_what_is_no_json(folder: Folder) -> None:
    with pytest.raises(ValueError, match="nan"):
        folder.write_json("x", float("nan"))
    assert not folder.exists("x")


def test_a_writable_folder_keeps_nothing_of_the_check(folder: Folder) -> None:
    folder.check_writable()
    assert folder.names() == []


def test_a_folder_that_can_not_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    folder = Folder.open(tmp_path / "file" / "study")
    with pytest.raises(StorageError) as caught:
        folder.check_writable()
    assert str(caught.value).startswith(f"{folder.uri}: cannot be written (")
    assert str(caught.value).endswith("). Free space or choose another `storage`.")


def test_a_failure_where_nothing_can_be_written_is_told_as_that(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), folder.told_where_unwritable():
        _ = 1 / 0
    full = Folder.open(tmp_path / "file" / "study")
    (tmp_path / "file").write_bytes(b"")
    for error in (ZeroDivisionError(), OSError("disk"), TranslearnError("no trial"), StorageError("a checkpoint")):
        match = r"/file/study: cannot be written \(.*Not a directory"
        with pytest.raises(StorageError, match=match) as caught, full.told_where_unwritable():
            raise error
        assert caught.value.__cause__ is error
    for told in (InputError("lr"), KeyboardInterrupt()):
        with pytest.raises(type(told)) as kept, full.told_where_unwritable():
            raise told
        assert kept.value is told


def no_space(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_failed_write_leaves_the_old_content_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder.open(tmp_path)
    folder.write_bytes("x", b"old")
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StorageError) as caught:
        folder.write_bytes("x", b"new")
    error = "[Errno 28] No space left on device"
    assert str(caught.value) == (
        f"{folder.uri}/x: cannot be written ({error}). Free space or choose another `storage`."
    )
    assert folder.names() == ["x"]
    assert folder.read_bytes("x") == b"old"


def test_a_reader_never_sees_a_part_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, seen = Folder.open(tmp_path), []
    folder.write_bytes("x", b"old")
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(folder.read_bytes("x")))
    folder.write_bytes("x", b"new")
    assert seen == [b"old"]
    assert folder.read_bytes("x") == b"new"


class Refusing(pafs.FileSystemHandler):
    """An object store whose credentials have run out: it answers every call with an error."""

    def _refuse(self, *_: object, **__: object) -> None:
        raise OSError("ACCESS_DENIED")

    get_type_name = normalize_path = lambda self, path="": path or "refusing"
    copy_file = create_dir = delete_dir = delete_dir_contents = delete_file = delete_root_dir_contents = _refuse
    get_file_info = get_file_info_selector = move = open_append_stream = open_input_file = _refuse
    open_input_stream = open_output_stream = _refuse


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda folder: folder.exists(), "s3://bucket/study: cannot be read"),
        (lambda folder: folder.names(), "s3://bucket/study: cannot be read"),
        (lambda folder: folder.read_bytes("x"), "s3://bucket/study/x: cannot be read"),
        (lambda folder: folder.write_bytes("x", b""), "s3://bucket/study: cannot be written"),
    ],
    ids=["exists", "names", "read", "write"],
)
def test_an_object_store_that_refuses_is_a_storage_error(call: Callable[[Folder], object], what: str) -> None:
    folder = Folder(pafs.PyFileSystem(Refusing()), "bucket/study", "s3://bucket/study")
    with pytest.raises(StorageError) as caught:
        call(folder)
    assert str(caught.value).startswith(f"{what} (ACCESS_DENIED).")


def test_a_relative_path_a_home_and_a_file_address_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = str(tmp_path.resolve() / "runs")
    assert Folder.open("runs").uri == Folder.open("~/runs").uri == Folder.open(tmp_path / "runs").uri == expected
    by_address = Folder.open(f"file://{expected}/")
    assert (by_address.path, by_address.uri, by_address.is_local) == (expected, f"file://{expected}", True)


def test_an_address_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(StorageError) as caught:
        Folder.open("ftp://host/x")
    line = "storage: must be a local path or an s3:// or gs:// address, but got ftp://host/x. ("
    assert str(caught.value).startswith(line)


def test_what_a_killed_writer_left_is_swept_at_any_depth_and_nothing_else(tmp_path):
    folder = Folder.open(tmp_path)
    kept = ["a.json", "data/.hidden", "data/a.part", "data/.mine.part"]
    for name in [*kept, ".a.json.0a1b2c3d.part", "refit/x/.model.json.ffffffff.part"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    folder.sweep()
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
    (folder / "nowhere").sweep()


def test_nothing_is_written_where_the_storage_is_away(tmp_path: Path) -> None:
    study = Folder.open(tmp_path / "disk" / "study")
    study.write_bytes("spec.yaml", b"")
    anchored = study.anchored("spec.yaml") / "search" / "states"
    anchored.write_bytes("a", b"1")
    (tmp_path / "disk").rename(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match=r"spec.yaml is not there any more\). Bring the storage back"):
        anchored.write_bytes("a", b"2")
    assert not (tmp_path / "disk").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "disk")
    anchored.write_bytes("a", b"3")
    assert anchored.read_bytes("a") == b"3"
    assert anchored == study / "search" / "states"
