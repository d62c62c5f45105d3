"""Going on with a search whose state cannot be read, without a Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ray import tune

from translearn.cluster.tuning import tuner
from translearn.errors import StorageError
from translearn.storage.folder import Folder


def left(folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> Folder:
    """A folder with a search, of which Tune says this error."""

    def restore(*_: Any, **__: Any) -> None:
        raise error

    found = Folder.open(folder) / tuner.SEARCH
    found.write_bytes("tuner.pkl", b"x")
    monkeypatch.setattr(tune.Tuner, "restore", restore)
    return found


def test_storage_that_is_away_is_an_error_and_nothing_is_deleted(tmp_path, monkeypatch):
    folder = left(tmp_path, monkeypatch, OSError("timed out"))
    with pytest.raises(
        StorageError, match=r"search: cannot be read \(timed out\)\. Run the same command again to go on"
    ):
        tuner._restored(None, folder)
    assert folder.exists("tuner.pkl")


def test_a_search_that_is_damaged_is_named_and_begun_anew(tmp_path, monkeypatch, capsys):
    folder = left(tmp_path, monkeypatch, EOFError("Ran out of input"))
    assert tuner._restored(None, folder) is None
    assert not folder.exists("tuner.pkl")
    assert "search cannot be read (Ran out of input): its trials are made again" in capsys.readouterr().out
