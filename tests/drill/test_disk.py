"""A disk that is full or read-only says so, also to who has a file open on it, and is as before when it is mended."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from translearn.drill.disk import Disk, can_mount

pytestmark = pytest.mark.skipif(not can_mount(), reason="needs a process that may mount disks")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk.mounted(tmp_path, size="1m")
    yield made
    made.unmount()
    assert not tmp_path.is_mount()
    assert not list(tmp_path.iterdir())


def fails(file: Path) -> int | None:
    try:
        file.write_bytes(bytes(4096))
    except OSError as error:
        return error.errno
    return None


def test_a_read_only_disk(disk: Disk) -> None:
    with (disk.folder / "open").open("wb"):
        disk.forbid()
        assert fails(disk.folder / "new") == errno.EROFS
        disk.allow()
        assert fails(disk.folder / "new") is None


def test_a_read_only_disk_goes_with_what_lies_over_it(disk: Disk) -> None:
    disk.forbid()


def test_a_full_disk(disk: Disk) -> None:
    disk.fill()
    assert fails(disk.folder / "new") == errno.ENOSPC
    disk.empty()
    assert fails(disk.folder / "new") is None
