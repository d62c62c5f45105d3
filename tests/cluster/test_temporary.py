"""Folders of checkpoints: gone with their block, and those of dead processes with the next start."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from translearn.cluster.temporary import checkpoint_folder, sweep_checkpoint_folders

LEAVE = """
import os
from translearn.cluster.temporary import checkpoint_folder
with checkpoint_folder() as folder:
    (folder / "state.pt").write_bytes(b"x")
    os.kill(os.getpid(), 9)
"""


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_gone_with_the_block(temporary: Path) -> None:
    with checkpoint_folder() as folder:
        assert folder.parent == temporary
        (folder / "state.pt").write_bytes(b"x")
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(temporary: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(temporary)}
    subprocess.run([sys.executable, "-c", LEAVE], env=environment, check=False)
    (temporary / "translearn-checkpoint-mine").mkdir()  # no name of ours
    assert len(list(temporary.iterdir())) == 2
    with checkpoint_folder() as folder:
        sweep_checkpoint_folders()
        assert folder.exists()
        assert {path.name for path in temporary.iterdir()} == {folder.name, "translearn-checkpoint-mine"}
