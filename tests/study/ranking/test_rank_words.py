"""A ranking for people: every line of it."""

from __future__ import annotations

from typing import Any

from translearn.study.ranking.rank_words import ranking_lines


def source(name: str, **more: Any) -> dict[str, Any]:
    row = {"source": name, "mean_rank": 0.75, "freeze_depth": 3, "seconds": 1.26, "distances": None}
    return {**row, "is_dropped": False, "why": "ranked first", **more}


def score(name: str, source: str, value: float, high: float | None, depth: int = 2) -> dict[str, Any]:
    return {"score": name, "source": source, "depth": depth, "value": value, "high": high}


def test_the_table_the_basis_the_distances_and_what_was_dropped() -> None:
    figures = {"frechet": {"value": 0.5, "high": 0.75}, "proxy_a": {"value": 1.0, "high": 1.25}}
    why = "every score lies below that of glyphs, by more than the intervals"
    ranking = {
        "scores": ["knn", "logme"],
        "num_examples": 30,
        "num_train": 40,
        "seconds": 2.0,
        "sources": [
            source("glyphs", distances=figures),
            source("a-long-name", mean_rank=0.25, freeze_depth=0, is_dropped=True, why=why),
        ],
    }
    rows = [
        score("knn", "glyphs", 0.1, 0.2, depth=1),
        score("knn", "glyphs", 0.5, 0.75),
        score("knn", "a-long-name", 0.25, None),
        score("leep", "glyphs", -1.0, -0.5),
        score("gbc", "glyphs", -1.0, -0.5),
    ]
    assert list(ranking_lines(ranking, rows)) == [
        "source       mean rank  freeze depth         knn         leep  seconds",
        "glyphs            0.75             3  0.50 ±0.25  -1.00 ±0.50      1.3",
        "a-long-name       0.25             0        0.25            -      1.3",
        "ranked by knn, logme at the last stage, on 30 of 40 training images, in 2.0 s; ± is half of a 95 % interval",
        "glyphs: Frechet distance 0.50 ±0.25, proxy A-distance 1.00 ±0.25 from its own data to the target's "
        "(lower is nearer)",
        f"a-long-name: dropped from the search: {why}",
    ]


def test_a_terminal_of_80_columns_has_as_many_scores_as_fit() -> None:
    names = ["knn", "linear_probe", "logme", "hscore", "leep", "nce"]
    rows = [score(name, "imagenet", -12.34, -11.22) for name in names]
    ranking = {"scores": names, "num_examples": 30, "num_train": 40, "seconds": 2.0, "sources": [source("imagenet")]}
    whole, narrow = (list(ranking_lines(ranking, rows, width)) for width in (None, 80))
    assert len(whole[0]) > 80 >= len(narrow[0]) == len(narrow[1])
    assert whole[0].split()[-2:] == ["nce", "seconds"]
    assert narrow[0].split()[-2:] == ["linear_probe", "seconds"]
    assert narrow[1].split()[-1] == "1.3"
