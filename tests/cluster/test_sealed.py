"""What was changed on its way is never read as if it were whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from translearn.cluster.referee import known_rows
from translearn.cluster.states import Places
from translearn.cluster.training.checkpoints import sealed, sealed_rows, unsealed, unsealed_rows
from translearn.cluster.training.runs import _drop_damaged
from translearn.cluster.training.worker import load_state, save_state
from translearn.storage.folder import Folder

STATE: dict[str, Any] = {"run": "a", "curve": [{"loss": 0.1 + 0.2}], "state": {"w": torch.arange(5.0), "epoch": 3}}
CONTENT = sealed(STATE)
ROWS = [{"run": "a", "epoch": 1, "val_error": 0.1 + 0.2}, {"run": "ä", "epoch": 2, "val_error": 1e-300}]


def flipped(content: bytes, place: int, bit: int) -> bytes:
    return content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


def test_what_was_sealed_comes_back_with_its_bits() -> None:
    found = unsealed(CONTENT)
    assert found
    assert found["curve"] == STATE["curve"]
    assert torch.equal(found["state"]["w"], STATE["state"]["w"])
    assert unsealed_rows(sealed_rows(ROWS)) == ROWS


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 7))
def test_a_flipped_bit_is_noticed_wherever_it_is(place: int, bit: int) -> None:
    assert unsealed(flipped(CONTENT, place, bit)) is None


@given(st.integers(0, len(sealed_rows(ROWS)) - 1), st.integers(0, 7))
def test_rows_with_a_flipped_bit_are_none_or_the_same(place: int, bit: int) -> None:
    assert unsealed_rows(flipped(sealed_rows(ROWS), place, bit)) in (None, ROWS)  # the same: white space was hit


@given(st.integers(0, len(CONTENT) - 1))
def test_what_was_cut_off_is_noticed(length: int) -> None:
    assert unsealed(CONTENT[:length]) is None


@given(
    st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_other_files_are_no_rows(value: Any) -> None:
    assert unsealed_rows(json.dumps(value).encode()) is None


class Forgetful:
    """A desk that knows no state."""

    class state:  # noqa: N801
        @staticmethod
        def remote(run: str) -> None:
            return None


def test_a_damaged_state_is_as_none_at_all(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("translearn.cluster.states.ray.get", lambda reference: reference)
    places = Places(Forgetful(), Folder.open(tmp_path))
    places.write("a", STATE)
    assert places.load("a")
    file = tmp_path / "states" / "a.pt"
    file.write_bytes(flipped(file.read_bytes(), 700, 3))
    assert places.load("a") is None


class Checkpoint:
    """As Ray's: a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def as_directory(self) -> Checkpoint:
        return self

    def __enter__(self) -> str:
        return str(self.folder)

    def __exit__(self, *_: object) -> None:
        pass


def test_a_damaged_checkpoint_is_as_none_at_all(tmp_path: Path) -> None:
    assert load_state(Checkpoint(tmp_path)) is None
    save_state(tmp_path, STATE)
    found = load_state(Checkpoint(tmp_path))
    assert found
    assert found["run"] == "a"
    (tmp_path / "state.pt").write_bytes(CONTENT[:-1])
    assert load_state(Checkpoint(tmp_path)) is None


def test_a_damaged_file_of_a_heat_is_named_and_left_out(tmp_path: Path, capsys: Any) -> None:
    heats = Folder.open(tmp_path) / "heats"
    heats.write_bytes("good.json", sealed_rows(ROWS))
    heats.write_bytes("bad.json", sealed_rows(ROWS)[:-5])
    assert known_rows(Folder.open(tmp_path)) == ROWS
    assert f"warning: {heats.uri}/bad.json is damaged: its trials are trained again" in capsys.readouterr().out


def test_rays_list_of_checkpoints_is_deleted_where_it_is_damaged(tmp_path: Path, capsys: Any) -> None:
    state, name = Folder.open(tmp_path) / ".ray", "checkpoint_manager_snapshot.json"
    _drop_damaged(state)
    group = state / "group"
    group.write_json(name, {"ray_version": "x"})
    _drop_damaged(state)
    assert group.exists(name)
    group.write_bytes(name, b'{"ray_ver')
    _drop_damaged(state)
    assert not state.exists()
    assert "is damaged: runs without a model begin anew" in capsys.readouterr().out
