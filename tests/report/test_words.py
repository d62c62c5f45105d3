from __future__ import annotations

import pytest

from translearn.report.words import DASH, FILTERS, duration, number, percent, percent_interval, points, points_interval


def test_fractions_are_percent_and_differences_are_points():
    assert percent(0.1234) == "12.3 %"
    assert points(0.1234) == "+12.3"
    assert points(-0.02) == "-2.0"
    assert points(-0.0001) == points(0.0) == "+0.0"
    assert percent_interval({"low": 0.1, "high": 0.25}) == "10.0 to 25.0 %"
    assert points_interval({"low": -0.01, "high": 0.032}) == "-1.0 to +3.2"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0112345, "0.0112"),
        (-0.0, "0"),
        (1234.5, "1,234"),
        (1234567, "1,234,567"),
        ("auto", "auto"),
        (True, "True"),
        (5, "5"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.4 s"), (-0.01, "0.0 s"), (42.4, "42 s"), (119.8, "2 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize("name", ["percent", "points", "number", "duration"])
def test_nothing_is_a_dash(name):
    assert FILTERS[name](None) == DASH


def test_an_interval_of_nothing_is_a_dash():
    assert percent_interval({"low": None, "high": None}) == points_interval({"low": None, "high": None}) == DASH
