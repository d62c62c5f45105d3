"""Going on with a search whose state cannot be read, without a Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ray import tune

from translearn.cluster.tuning import tuner
from translearn.cluster.tuning.restored import restored
from translearn.errors import StorageError
from translearn.storage.folder import Folder

STATE = "experiment_state-2026-11-30_19-51-25.json"


def left(folder: Path, monkeypatch: pytest.MonkeyPatch, said: object) -> Folder:
    """A folder with a search, of which Tune says this, or raises it."""

    def restore(*_: Any, **__: Any) -> object:
        if isinstance(said, Exception):
            raise said
        return said

    found = Folder.open(folder) / tuner.SEARCH
    found.write_bytes("tuner.pkl", b"x")
    found.write_bytes(STATE, b'{"trial_data": [1, 2]}')
    monkeypatch.setattr(tune.Tuner, "restore", restore)
    return found


def test_what_is_there_is_restored_with_the_number_of_its_trials(tmp_path, monkeypatch):
    assert restored(None, left(tmp_path, monkeypatch, "tuner")) == ("tuner", 2)


def test_storage_that_is_away_is_an_error_and_nothing_is_deleted(tmp_path, monkeypatch):
    folder = left(tmp_path, monkeypatch, OSError("timed out"))
    with pytest.raises(
        StorageError, match=r"search: cannot be read \(timed out\)\. Run the same command again to go on"
    ):
        restored(None, folder)
    assert folder.exists("tuner.pkl")


def test_a_search_that_is_damaged_is_named_and_begun_anew(tmp_path, monkeypatch, capsys):
    folder = left(tmp_path, monkeypatch, EOFError("Ran out of input"))
    assert restored(None, folder) == (None, 0)
    assert not folder.exists("tuner.pkl")
    assert "search cannot be read (Ran out of input): its trials are made again" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b'{"trial_data": [1, ', b"", b"{}"])
def test_a_state_that_tune_would_go_on_without_is_damage(content: bytes, tmp_path, monkeypatch, capsys):
    folder = left(tmp_path, monkeypatch, "tuner")
    folder.write_bytes("experiment_state-2026-11-30_20-51-25.json", content)
    assert restored(None, folder) == (None, 0)
    assert not folder.exists("tuner.pkl")
    assert "search cannot be read (" in capsys.readouterr().out


def test_a_search_that_was_interrupted_before_its_first_state_begins_anew_without_a_word(tmp_path, monkeypatch, capsys):
    folder = left(tmp_path, monkeypatch, "tuner")
    folder.remove_file(STATE)
    assert restored(None, folder) == (None, 0)
    assert not folder.exists("tuner.pkl")
    assert capsys.readouterr().out == ""
