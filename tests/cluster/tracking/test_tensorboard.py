"""Event files: in a folder while they grow, in an object store as copies that have all in the end."""

from __future__ import annotations

from pathlib import Path

import pytest
from s3_server import S3Server
from tensorboardX.proto.event_pb2 import Event

from translearn.cluster.tracking.tensorboard import EventFiles
from translearn.errors import StorageError
from translearn.storage.file_systems import Patience
from translearn.storage.folder import Folder


def points(folder: Folder, run: str) -> list[tuple[str, int]]:
    """What a run's event files hold: names and epochs. A record: 8 bytes of length, 4 of check, itself, 4 of check."""
    found = []
    for name in (folder / run).names():
        content = (folder / run).read_bytes(name)
        while content:
            length = int.from_bytes(content[:8], "little")
            event = Event.FromString(content[12 : 12 + length])
            found += [(value.tag, event.step) for value in event.summary.value]
            content = content[16 + length :]
    return found


def row(run: str, epoch: int) -> dict[str, object]:
    return {"run": run, "epoch": epoch, "val_error": 0.5}


@pytest.fixture(params=["local", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server) -> Folder:
    return Folder.open(tmp_path / "tb" if request.param == "local" else s3.address(f"{tmp_path.name}/tb"))


def test_every_epoch_of_every_run_is_there_when_it_is_closed(folder: Folder) -> None:
    events = EventFiles(folder)
    for run, epoch in (("a", 1), ("b", 1), ("a", 2)):
        events.add(row(run, epoch))
    events.close()
    assert points(folder, "a") == [("val_error", 1), ("val_error", 2)]
    assert points(folder, "b") == [("val_error", 1)]


def test_an_object_store_has_them_while_they_grow(s3: S3Server, tmp_path: Path) -> None:
    folder = Folder.open(s3.address(f"{tmp_path.name}/tb"))
    events = EventFiles(folder, copy_s=0.0)
    events.add(row("a", 1))
    events.add(row("a", 2))
    files = (folder / "a").names()
    events.close()
    assert points(folder, "a") == [("val_error", 1), ("val_error", 2)]
    assert (folder / "a").names() == files


def test_a_copy_that_fails_is_made_up_for(s3: S3Server, tmp_path: Path) -> None:
    folder = Folder.open(s3.address(f"{tmp_path.name}/tb"), Patience(retries=1, silence_s=1.0))
    events = EventFiles(folder, copy_s=0.0)
    s3.fail("PUT", 1000)
    events.add(row("a", 1))
    with pytest.raises(StorageError):
        events.close()
    s3.recover()
    events.close()
    assert points(folder, "a") == [("val_error", 1)]
