"""The page of a matrix: what speaks against a row is said beside it."""

from __future__ import annotations

import html
import re
from typing import Any

from translearn.report.matrix_page import doubts, render_matrix


def row(source: str, **changes: Any) -> dict[str, Any]:
    known = {
        "target": "pets",
        "source": source,
        "arch": "resnet18",
        "freeze_depth": 2,
        "lr": 0.01,
        "gain": 0.1,
        "low": 0.05,
        "high": 0.15,
        "family_low": 0.02,
        "family_high": 0.18,
        "verdict": "helped",
        "error": 0.2,
        "error_low": 0.15,
        "error_high": 0.25,
        "scratch_error": 0.3,
        "num_seeds": 3,
        "num_examples": 200,
        "num_comparisons": 3,
        "is_own_data": False,
        "num_exact": 0,
        "num_near": 0,
        "test_reads": 1,
    }
    return {**known, **changes}


def text(rows: list[dict[str, Any]]) -> str:
    page = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]*>", " ", render_matrix("m", rows, []), flags=re.S)
    return html.unescape(" ".join(page.split()))


def test_clean_leaky_and_unchecked_sources_differ() -> None:
    page = text([row("clean"), row("leaky", num_exact=3, num_near=1), row("hub", num_exact=None, num_near=None)])
    assert "pets clean none found" in page
    assert "pets leaky 3 exact and 1 near duplicate" in page
    assert "pets hub not checked: the source's data is not at hand" in page


def test_a_pair_that_is_left_out_leaves_a_gap() -> None:
    rows = [row("a"), row("b"), row("a", target="cars")]
    assert "nan" not in text(rows)
    assert "cars b" not in text(rows)


def test_a_second_reading_of_test_is_said() -> None:
    assert "The test split of" not in text([row("a")])
    assert "The test split of pets was read 2 times" in text([row("a", test_reads=2), row("b", test_reads=2)])


def test_the_doubts_of_a_row_in_words() -> None:
    assert doubts(row("a")) == ""
    assert doubts(row("a", is_own_data=True, num_exact=2, test_reads=3)) == (
        "its own data; trained on 2 exact and 0 near duplicates of test; test read 3 times"
    )
    assert doubts(row("a", num_exact=None, num_near=None)) == ""


def test_the_best_of_a_target_carries_its_doubts() -> None:
    assert "pets a (trained on 1 exact and 0 near duplicates of test)" in text([row("a", num_exact=1), row("b")])
    assert "pets a 20.0 %" in text([row("a"), row("b")])
