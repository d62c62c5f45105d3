"""Which past studies are near: closed forms of the distance, and what it does not depend on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from history_cases import TARGET, row, sources
from hypothesis import given
from hypothesis import strategies as st

from translearn.study.ranking.near_studies import by_nearness


def distances(past: list[dict[str, Any]], scores: dict[str, float] | None = None) -> dict[str, float]:
    return {trials[0]["study"]: far for far, trials in by_nearness(sources(), TARGET, scores or {}, past)}


def test_without_past_studies_none_is_near() -> None:
    assert by_nearness(sources(), TARGET, {}, []) == []


def test_the_distance_is_that_of_logarithms_in_standard_deviations() -> None:
    found = distances([row("twice", images_per_class=40.0), row("eight", images_per_class=160.0)])
    logs = np.log([20.0, 40.0, 160.0])
    assert found == pytest.approx({"twice": math.log(2) / logs.std(), "eight": math.log(8) / logs.std()})
    assert list(found) == ["twice", "eight"]


def test_features_count_alike_whatever_their_scale() -> None:
    found = distances([row("more images", images_per_class=40.0), row("larger ones", image_size=1024)])
    assert found["more images"] == pytest.approx(found["larger ones"])


def test_the_same_target_is_at_distance_0_and_stays_first() -> None:
    past = [row("far", num_classes=100, label_entropy=math.log(100)), row("same")]
    assert next(iter(distances(past).items())) == ("same", 0.0)


def test_an_unbalanced_target_is_not_like_a_balanced_one() -> None:
    found = distances([row("unbalanced", label_entropy=1.0), row("balanced")])
    assert found["balanced"] == 0.0 < found["unbalanced"]


def test_scores_of_the_same_weights_tell_targets_of_one_shape_apart() -> None:
    past = [
        *(row("alike", source, source_score=score) for source, score in (("a", 0.9), ("b", 0.3))),
        *(row("other", source, source_score=score) for source, score in (("a", 0.2), ("b", 0.8))),
    ]
    found = distances(past, {"a": 0.88, "b": 0.3})
    assert found["alike"] < 0.1 < found["other"]


def test_a_score_of_other_weights_says_nothing() -> None:
    past = [row("old", source_score=0.9, source_fingerprint="of another source"), row("young", "b")]
    assert distances(past, {"a": 0.1}) == {"old": 0.0, "young": 0.0}


def test_trials_are_best_first() -> None:
    ((_, trials),) = by_nearness(sources(), TARGET, {}, [row(error=0.3), row(error=0.1), row(error=0.2)])
    assert [trial["val_error"] for trial in trials] == [0.1, 0.2, 0.3]


@given(st.lists(st.tuples(st.integers(2, 1000), st.floats(1, 1e5), st.integers(16, 1024)), min_size=1, max_size=6))
def test_every_study_comes_once_and_the_nearest_first(shapes: list[tuple[int, float, int]]) -> None:
    past = [
        row(str(place), num_classes=c, images_per_class=n, image_size=s, label_entropy=math.log(c))
        for place, (c, n, s) in enumerate(shapes)
    ]
    found = distances(past)
    assert sorted(found) == sorted(str(place) for place in range(len(shapes)))
    assert list(found.values()) == sorted(found.values())
    assert all(far >= 0 for far in found.values())
