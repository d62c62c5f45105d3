"""What is concluded from scores: order, weights, recommended freeze depth, and when a source is dropped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest

from translearn.ranking.decisions import Contender, Ranking, combined_scores, freeze_depth, ranked
from translearn.ranking.scoring import StageScore
from translearn.ranking.subsamples import Spread

STAGE_SCORES = ("knn", "linear_probe", "logme", "hscore")
HEAD = ("leep", "nce")


def contender(
    name: str,
    values: Mapping[str, Sequence[float]] | Sequence[float],
    error: float = 0.01,
    num_classes: int | None = None,
    num_examples: int = 100,
    **static: float | None,
) -> Contender:
    """A source whose scores by depth are ``values``, the same for all scores where they are given once."""
    by_score = values if isinstance(values, Mapping) else dict.fromkeys(STAGE_SCORES, values)
    scores = [
        StageScore(score, depth, Spread(value, error), 0.0)
        for score, column in by_score.items()
        for depth, value in enumerate(column, 1)
    ]
    if num_classes:
        scores += [
            StageScore(score, len(by_score["knn"]), Spread(by_score["knn"][-1] - 1, error), 0.0) for score in HEAD
        ]
    return Contender(
        name, tuple(scores), num_classes, num_examples, 100, {"source_accuracy": 0.9, "num_parameters": 1e6, **static}
    )


def weights(found: Ranking) -> dict[str, float]:
    return {one.name: one.weight for one in found.sources}


def test_sources_are_ordered_by_their_last_stage() -> None:
    found = ranked([contender("a", [0.9, 0.2]), contender("b", [0.1, 0.6]), contender("c", [0.1, 0.4])])
    assert [one.name for one in found.sources] == ["b", "c", "a"]
    assert [one.mean_rank for one in found.sources] == pytest.approx([5 / 6, 3 / 6, 1 / 6])
    assert found.scores == ("knn", "logme", "hscore")


def test_scores_of_heads_count_only_where_heads_have_equally_many_classes() -> None:
    pool = [contender("a", [0.5], num_classes=10), contender("b", [0.4], num_classes=10)]
    assert combined_scores(pool) == ("knn", "logme", "hscore", "leep", "nce")
    for other in (contender("b", [0.4], num_classes=9), contender("b", [0.4])):
        assert combined_scores([pool[0], other]) == ("knn", "logme", "hscore")


def test_the_hscore_counts_only_where_no_source_has_more_features_than_there_are_images() -> None:
    for num_examples, counts in ((100, True), (99, False)):
        found = ranked([contender("a", [0.5]), contender("b", [0.4], num_examples=num_examples)])
        assert ("hscore" in found.scores) is counts


def test_sure_scores_give_ranks_as_weights_and_unsure_ones_equal_weights() -> None:
    values = {"a": [0.8], "b": [0.6], "c": [0.4]}
    sure, unsure, open_ = (
        ranked([contender(name, column, error, source_accuracy=accuracy) for (name, column), accuracy in pairs])
        for error, pairs in (
            (error, list(zip(values.items(), (0.7, 0.8, 0.9), strict=True))) for error in (1e-9, 50.0, math.inf)
        )
    )
    assert weights(sure) == pytest.approx({"a": 5 / 9, "b": 3 / 9, "c": 1 / 9})
    for found in (unsure, open_):
        assert weights(found) == pytest.approx(dict.fromkeys("abc", 1 / 3), abs=0.01)


@pytest.mark.parametrize(
    ("columns", "depth"),
    [
        ([1, 2, 3, 4, 5], 2),
        ([1, 2, 3, 4, 5, 6], 3),
        ([1, 2, 3, 3, 4], 2),
        ([1, 2, 2, 3, 4], 1),
        ([2, 1, 3, 4, 5], 0),
        ([1, 1, 1, 1, 1], 0),
        ([1], 0),
    ],
)
def test_stages_may_stay_frozen_as_long_as_the_next_one_improves_on_them_and_half_of_them_at_most(
    columns: list[float], depth: int
) -> None:
    assert freeze_depth(contender("a", [float(value) for value in columns])) == depth


def test_two_of_three_scores_decide_about_a_stage_and_the_hscore_has_no_say() -> None:
    rising, falling = [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]
    two = {"knn": rising, "linear_probe": falling, "logme": rising, "hscore": falling}
    one = {"knn": rising, "linear_probe": falling, "logme": falling, "hscore": rising}
    assert (freeze_depth(contender("a", two)), freeze_depth(contender("a", one))) == (1, 0)


def of(found: Ranking, name: str) -> tuple[bool, str]:
    return next((one.is_dropped, one.why) for one in found.sources if one.name == name)


def test_a_source_that_every_score_puts_far_below_is_dropped_and_has_no_weight() -> None:
    found = ranked([contender("best", [0.9]), contender("near", [0.88]), contender("far", [0.2])])
    assert of(found, "best") == (False, "ranked first")
    assert of(found, "near") == (False, "kNN, LogME and the H-score do not show it to be worse")
    assert of(found, "far") == (True, "every score lies below that of best, by more than the intervals")
    assert weights(found)["far"] == 0
    assert sum(weights(found).values()) == pytest.approx(1)


def test_the_gap_must_be_half_as_wide_as_the_intervals_beyond_them() -> None:
    margin = Spread(0.0, 0.01).margin
    for factor, dropped in ((2.9, False), (3.1, True)):
        found = ranked([contender("best", [0.9]), contender("other", [0.9 - factor * margin])])
        assert of(found, "other")[0] is dropped


def test_one_score_that_disagrees_keeps_a_source() -> None:
    far = {"knn": [0.1], "linear_probe": [0.1], "logme": [0.1], "hscore": [0.95]}
    assert of(ranked([contender("best", [0.9]), contender("far", far)]), "far") == (
        False,
        "the H-score does not show it to be worse",
    )


def test_a_good_early_stage_keeps_a_source() -> None:
    assert not of(ranked([contender("best", [0.3, 0.9]), contender("far", [0.9, 0.1])]), "far")[0]


def test_a_static_ranker_that_disagrees_keeps_a_source_and_an_unknown_one_does_not() -> None:
    better = contender("far", [0.1], source_accuracy=0.95)
    unknown = contender("far", [0.1], source_accuracy=None)
    assert of(ranked([contender("best", [0.9]), better]), "far") == (False, "source_accuracy may rank it higher")
    assert of(ranked([contender("best", [0.9]), unknown]), "far")[0]


def test_the_last_source_is_never_dropped() -> None:
    found = ranked([contender("only", [0.1])])
    assert of(found, "only") == (False, "ranked first")
    assert weights(found) == {"only": 1.0}
