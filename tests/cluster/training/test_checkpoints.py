"""What was changed on its way is never read as if it were whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from translearn.cluster.training.checkpoints import load_state, save_state, sealed, unsealed
from translearn.cluster.training.interrupted import Interrupted
from translearn.storage.folder import Folder

STATE: dict[str, Any] = {"run": "a", "curve": [{"loss": 0.1 + 0.2}], "state": {"w": torch.arange(5.0), "epoch": 3}}
CONTENT = sealed(STATE)


def flipped(content: bytes, place: int, bit: int) -> bytes:
    return content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


def test_what_was_sealed_comes_back_with_its_bits() -> None:
    found = unsealed(CONTENT)
    assert found
    assert found["curve"] == STATE["curve"]
    assert torch.equal(found["state"]["w"], STATE["state"]["w"])


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 7))
def test_a_flipped_bit_is_noticed_wherever_it_is(place: int, bit: int) -> None:
    assert unsealed(flipped(CONTENT, place, bit)) is None


@given(st.integers(0, len(CONTENT) - 1))
def test_what_was_cut_off_is_noticed(length: int) -> None:
    assert unsealed(CONTENT[:length]) is None


def test_a_damaged_checkpoint_is_as_none_at_all(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None
    save_state(tmp_path, STATE)
    found = load_state(tmp_path)
    assert found
    assert found["run"] == "a"
    (tmp_path / "state.pt").write_bytes(CONTENT[:-1])
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
