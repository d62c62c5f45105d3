"""A file of Ray's libraries is whole, or what it was before, whatever the disk does."""

from __future__ import annotations

import errno
import pickle
from io import FileIO
from pathlib import Path

import pyarrow.fs as pafs
import pytest

from translearn.storage.atomic import atomic, plain

LOCAL = pafs.LocalFileSystem()


@pytest.mark.parametrize("fs", [atomic(LOCAL), pickle.loads(pickle.dumps(atomic(LOCAL)))])
def test_what_is_copied_there_and_back_is_the_same(fs: pafs.FileSystem, tmp_path: Path) -> None:
    contents = {"a/empty": b"", "a/b/short": b"x", "a/b/long": bytes(range(256)) * 20_000}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    pafs.copy_files(f"{tmp_path}/a", f"{tmp_path}/there", destination_filesystem=fs)
    pafs.copy_files(f"{tmp_path}/there", f"{tmp_path}/back", source_filesystem=fs)
    found = {f"a/{p.relative_to(tmp_path / 'back')}": p.read_bytes() for p in tmp_path.glob("back/**/*") if p.is_file()}
    assert found == contents
    assert not list(tmp_path.rglob("*.part"))


def test_a_file_has_its_name_when_it_is_closed(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"old")
    with atomic(LOCAL).open_output_stream(f"{tmp_path}/state") as stream:
        stream.write(b"new")
        assert (tmp_path / "state").read_bytes() == b"old"
    assert (tmp_path / "state").read_bytes() == b"new"


def test_on_a_full_disk_the_old_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state").write_bytes(b"old")
    (tmp_path / "new").write_bytes(bytes(1000))

    class Full(FileIO):
        def write(self, content: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, *_, **__: Full(path, "wb"))
        with pytest.raises(OSError, match="No space left on device"):
            pafs.copy_files(f"{tmp_path}/new", f"{tmp_path}/state", destination_filesystem=atomic(LOCAL))
    assert (tmp_path / "state").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "state"]


def test_what_is_asked_of_files_and_folders_is_pyarrows_answer(tmp_path: Path) -> None:
    fs, path = atomic(LOCAL), str(tmp_path)
    fs.create_dir(f"{path}/a/b", recursive=True)
    fs.copy_file(__file__, f"{path}/a/file")
    fs.move(f"{path}/a/file", f"{path}/a/b/file")
    selector = pafs.FileSelector(path, recursive=True)
    assert [str(info) for info in fs.get_file_info(selector)] == [str(info) for info in LOCAL.get_file_info(selector)]
    with fs.open_input_file(f"{path}/a/b/file") as stream:
        assert stream.read() == Path(__file__).read_bytes()
    fs.delete_file(f"{path}/a/b/file")
    fs.delete_dir_contents(f"{path}/a")
    fs.delete_dir(f"{path}/a")
    assert fs.get_file_info(f"{path}/a").type == pafs.FileType.NotFound
    with pytest.raises(FileNotFoundError):
        fs.open_input_stream(f"{path}/a")
    with pytest.raises(PermissionError, match="the root of a local file system is never emptied"):
        fs.delete_dir_contents("", accept_root_dir=True)


def test_only_local_files_need_it_and_it_can_be_taken_off() -> None:
    other = pafs.SubTreeFileSystem("/", LOCAL)
    assert atomic(other) is other
    assert plain(other) is other
    assert plain(atomic(LOCAL)) == LOCAL
    assert atomic(LOCAL) == atomic(LOCAL) != LOCAL
