from __future__ import annotations

import pytest
from report_cases import cost

from translearn.report.words import (
    DASH,
    FILTERS,
    cost_words,
    duration,
    number,
    percent,
    percent_interval,
    points,
    points_interval,
    sentence,
)


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


def test_a_cost_says_what_its_speed_was_measured_on():
    size = "resnet18, 11.2 million parameters, 44.8 MB"
    on_cpu = "7.12 ms an image alone and 281 images/s in batches on one thread of Some CPU"
    assert cost_words(cost()) == f"{size}; {on_cpu}"
    gpu = {"gpu": "Some GPU", "gpu_latency_ms": 2.0, "gpu_images_per_s": 9000.0}
    on_gpu = "2 ms an image alone and 9,000 images/s in batches on Some GPU"
    assert cost_words({**cost(), **gpu}) == f"{size}; {on_cpu}; {on_gpu}"


def test_an_interval_of_nothing_is_a_dash():
    assert percent_interval({"low": None, "high": None}) == points_interval({"low": None, "high": None}) == DASH


def test_a_sentence_begins_with_a_capital_and_a_fields_name_is_left():
    assert sentence("few images of cats") == "Few images of cats"
    assert sentence("refit.epochs: 3 are few") == "refit.epochs: 3 are few"
    assert sentence("12 images") == "12 images"
    assert sentence("") == ""
