"""What is shown of work that has no parts to count."""

from __future__ import annotations

import re
import time

import pytest

from translearn.cluster.tracking import progress
from translearn.cluster.tracking.progress import ticking


def test_work_that_takes_long_says_that_it_goes_on_and_short_work_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with ticking("ranking a"):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "_AFTER_S", 0.01)
    monkeypatch.setattr(progress, "_EVERY_S", 0.01)
    told = ""
    with ticking("ranking a"):
        while told.count("\n") < 3:
            time.sleep(0.01)
            told += capsys.readouterr().err
    assert re.fullmatch(r"(ranking a: \d+ s\n){3,}", told)
    capsys.readouterr()
    time.sleep(0.05)
    assert capsys.readouterr().err == ""
