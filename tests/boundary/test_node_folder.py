"""A node's folder outlives each process that uses it but the last, however they end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from translearn.boundary.node_folder import NodeFolder, claimed

_HOLDS = """
import sys, time
from pathlib import Path
from translearn.boundary.node_folder import NodeFolder, claimed
folder = NodeFolder(Path(sys.argv[1]))
(folder.path / "made").mkdir()
with claimed(folder.path / "claim") as ours:
    print(ours, flush=True)
    sys.stdin.read()
folder.close()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def test_the_last_one_deletes_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder"
    first, second = NodeFolder(path), NodeFolder(path)
    (path / "file").touch()
    first.close()
    first.close()
    assert (path / "file").exists()
    second.close()
    assert list(path.parent.iterdir()) == []


def test_a_new_one_after_the_last_starts_empty(tmp_path: Path) -> None:
    NodeFolder(tmp_path / "folder").close()
    again = NodeFolder(tmp_path / "folder")
    assert [path.name for path in again.path.iterdir()] == ["lock"]
    again.close()


def test_what_a_killed_process_left_is_kept_for_the_living_and_then_swept(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    process = holder(path)
    other = NodeFolder(path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (path / "made").exists(), "another process lives"
    with claimed(path / "claim") as ours:
        assert ours, "a claim dies with its holder"
    # This process goes the same way: its lock is let go, nothing is deleted.
    other._lock.close()
    (tmp_path / "folder.gone-12345678").mkdir()
    third = NodeFolder(path)
    assert [one.name for one in path.iterdir()] == ["lock"]
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]
    third.close()


def test_a_claim_is_one_processs_at_a_time(tmp_path: Path) -> None:
    process = holder(tmp_path / "folder")
    with claimed(tmp_path / "folder" / "claim") as ours:
        assert not ours
    _, _ = process.communicate("")
    assert process.returncode == 0
    assert not (tmp_path / "folder").exists()
