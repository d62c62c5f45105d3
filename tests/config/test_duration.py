"""Times on a command line."""

from __future__ import annotations

import doctest
import re

import pytest

from translearn.config import duration
from translearn.config.duration import as_option, seconds_of
from translearn.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("10m", 600), ("2h", 7200), ("90s", 90), ("1h30m", 5400), ("1h1m1s", 3661), (" 5m ", 300)],
)
def test_hours_minutes_and_seconds(text: str, seconds: int) -> None:
    assert seconds_of(text, "--time") == seconds
    assert seconds_of(as_option(seconds), "--time") >= seconds


@pytest.mark.parametrize(
    ("text", "remedy"),
    [("30", "A number needs its unit."), ("", "Write it so."), ("0m", "Write it so.")]
    + [(text, "Write it so.") for text in ("30 minutes", "1.5h", "30m1h", "-5m", "m")],
)
def test_what_is_no_time_is_a_fault(text: str, remedy: str) -> None:
    message = f"--time: must be a time above 0, such as 30m, 2h, 90s or 1h30m, but got {text!r}. {remedy}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        seconds_of(text, "--time")


def test_the_examples_of_its_docstrings() -> None:
    assert doctest.testmod(duration).failed == 0
