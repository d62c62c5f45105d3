"""What was changed on its way is never read as if it were whole."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from translearn.cluster.training.checkpoints import load_state, save_state
from translearn.cluster.training.interrupted import Interrupted
from translearn.storage.folder import Folder

STATE: dict[str, Any] = {"run": "a", "curve": [{"loss": 0.1 + 0.2}], "state": {"w": torch.arange(5.0), "epoch": 3}}


def saved() -> bytes:
    with TemporaryDirectory() as folder:
        save_state(Path(folder), STATE)
        return (Path(folder) / "state.pt").read_bytes()


CONTENT = saved()


def loaded(content: bytes) -> dict[str, Any] | None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "state.pt").write_bytes(content)
        return load_state(Path(folder))


def flipped(content: bytes, place: int, bit: int) -> bytes:
    return content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


def test_what_was_saved_comes_back_with_its_bits() -> None:
    found = loaded(CONTENT)
    assert found
    assert (found["run"], found["curve"]) == (STATE["run"], STATE["curve"])
    assert torch.equal(found["state"]["w"], STATE["state"]["w"])


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 7))
def test_a_flipped_bit_is_noticed_wherever_it_is(place: int, bit: int) -> None:
    assert loaded(flipped(CONTENT, place, bit)) is None


@given(st.integers(0, len(CONTENT) - 1))
def test_what_was_cut_off_is_noticed(length: int) -> None:
    assert loaded(CONTENT[:length]) is None


def test_a_folder_without_loop_state_has_none(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None


def test_ray_s_list_of_checkpoints_that_is_damaged_is_named(tmp_path: Path, capsys: Any) -> None:
    group = Folder.open(tmp_path) / "0" / "group-0"
    group.write_bytes("checkpoint_manager_snapshot.json", b'{"ray_ver')
    assert Interrupted(Folder.open(tmp_path)).checkpoints() == {}
    assert not group.exists()
    assert "is damaged (" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b'{"workers": 1, ', b"1", b"\xff"])
def test_without_the_shape_of_their_groups_interrupted_runs_begin_anew(
    content: bytes, tmp_path: Path, capsys: Any
) -> None:
    folder, state = Folder.open(tmp_path) / ".ray", Interrupted(Folder.open(tmp_path) / ".ray")
    assert state.shape() is None
    state.keep_shape({"workers": 2})
    assert state.shape() == {"workers": 2}
    folder.write_bytes("shape.json", content)
    (folder / "0" / "group-0").write_bytes("checkpoint_manager_snapshot.json", b"{}")
    assert state.shape() is None
    assert capsys.readouterr().out.endswith("shape.json is damaged: runs that were interrupted begin anew\n")
    assert not folder.names()
