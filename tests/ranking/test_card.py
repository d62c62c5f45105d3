from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import weightedtau

from translearn.errors import InputError
from translearn.ranking.card import report_card
from translearn.ranking.measures import regret, rel_at_1, weighted_tau

GOLDEN = Path(__file__).parent.parent / "golden" / "thuml_model_selection.csv"
ERRORS = np.array([0.10, 0.20, 0.30, 0.40, 0.55, 0.60, 0.70, 0.80])


def golden_tables() -> dict[str, dict[str, np.ndarray]]:
    """Data set to its columns, from thuml's table of 10 networks on each of 8 data sets."""
    with open(GOLDEN) as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    names = ("accuracy", "hscore", "leep", "logme", "nce")
    return {
        dataset: {name: np.array([float(r[name]) for r in rows if r["dataset"] == dataset]) for name in names}
        for dataset in dict.fromkeys(row["dataset"] for row in rows)
    }


@pytest.mark.parametrize(("score", "mean"), [("hscore", 0.650), ("leep", 0.419), ("logme", 0.670), ("nce", 0.687)])
def test_mean_weighted_tau_of_the_public_table(score, mean):
    tables = golden_tables()
    assert len(tables) == 8
    assert all(len(table["accuracy"]) == 10 for table in tables.values())
    taus = [
        report_card({score: t[score]}, {}, 1 - t["accuracy"] / 100, num_resamples=100).rows[0].weighted_tau.value
        for t in tables.values()
    ]
    assert np.mean(taus) == pytest.approx(mean, abs=5e-4)


def test_a_card_of_the_public_table_names_the_best_score():
    table = golden_tables()["SUN397"]
    scores = {name: table[name] for name in ("hscore", "leep", "logme", "nce")}
    card = report_card(scores, {"table_order": -np.arange(10.0)}, 1 - table["accuracy"] / 100, num_resamples=200)
    assert [row.name for row in card.rows] == ["hscore", "nce", "logme", "leep", "table_order"]
    assert card.rows[0].rel_at_1.value == 1.0
    assert card.rows[0].regret.value == 0.0


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(8)))
def test_weighted_tau_is_scipys_against_accuracy(order):
    scores = np.array(order, dtype=float)
    assert weighted_tau(scores, ERRORS) == pytest.approx(weightedtau(scores, 1 - ERRORS).statistic, abs=1e-12)
    assert weighted_tau(-scores, ERRORS) <= 1


def test_weighted_tau_at_its_ends():
    assert weighted_tau(-ERRORS, ERRORS) == pytest.approx(1)
    assert weighted_tau(ERRORS, ERRORS) == pytest.approx(-1)
    assert weighted_tau(np.ones(8), ERRORS) == 0
    assert weighted_tau(ERRORS, np.ones(8)) == 0


def test_pick_is_judged_by_accuracy_ratio_and_error_difference():
    scores = np.array([1.0, 9.0, 2.0])
    errors = np.array([0.1, 0.4, 0.3])
    assert rel_at_1(scores, errors) == pytest.approx(0.6 / 0.9)
    assert regret(scores, errors) == pytest.approx(0.3)
    assert regret(np.zeros(3), errors) == pytest.approx(np.mean(errors) - 0.1)
    assert rel_at_1(scores, np.ones(3)) == 1.0


def test_a_perfect_score_beats_a_hopeless_static_ranker():
    card = report_card({"oracle": -ERRORS}, {"num_params": ERRORS}, ERRORS, num_resamples=300)
    assert card.beats_static is True
    assert card.sentence == (
        "The score oracle beat the best static ranker here: weighted tau 1.00 of oracle against -1.00 "
        "of num_params, difference 2.00 (95 % interval 2.00 to 2.00), 8 sources."
    )


def test_a_corrected_interval_says_its_level():
    scores = {f"score{i}": -ERRORS for i in range(5)}
    card = report_card(scores, {"num_params": ERRORS}, ERRORS, num_resamples=300)
    assert "(99 % interval 2.00 to 2.00, corrected for 5 scores)" in card.sentence


def test_scores_that_were_not_combined_are_shown_and_claim_nothing():
    scores = {"lucky": -ERRORS, "knn": ERRORS}
    card = report_card(scores, {"size": np.roll(ERRORS, 3)}, ERRORS, claiming=["knn"], num_resamples=300)
    assert {row.name: row.claims for row in card.rows} == {"lucky": False, "knn": True, "size": False}
    assert card.rows[0].name == "lucky"
    assert card.beats_static is False
    assert "of knn against" in card.sentence
    assert "corrected" not in card.sentence


@pytest.mark.parametrize(("num", "has_interval"), [(2, False), (3, False), (4, True)])
def test_of_fewer_than_four_sources_there_is_no_interval(num, has_interval):
    card = report_card({"knn": -ERRORS[:num]}, {"size": ERRORS[:num]}, ERRORS[:num], num_resamples=100)
    for row in card.rows:
        for estimate in (row.weighted_tau, row.rel_at_1, row.regret):
            assert ((estimate.low, estimate.high) != (None, None)) is has_interval
    assert ("interval" in card.sentence) is has_interval


def test_a_score_no_better_than_size_is_said_to_be_so():
    swapped = ERRORS[[1, 0, 2, 3, 4, 5, 6, 7]]
    card = report_card({"logme": -swapped}, {"num_params": -ERRORS}, ERRORS, num_resamples=300)
    assert card.beats_static is False
    assert card.sentence.startswith("No score beat the static ranker here: weighted tau 0.")
    assert card.sentence.endswith("8 sources.")


def test_a_lucky_score_among_three_sources_proves_nothing():
    card = report_card({"knn": [3, 2, 1]}, {"accuracy": [2, 3, 1]}, [0.1, 0.2, 0.3], num_resamples=500)
    assert card.rows[0].name == "knn"
    assert card.beats_static is False


@pytest.mark.parametrize(("num", "num_scores", "enough"), [(2, 1, False), (4, 1, False), (5, 3, True), (5, 4, False)])
def test_a_perfect_order_of_few_sources_may_be_luck(num, num_scores, enough):
    # A random order of 4 is perfect in 1 of 24 cases, one of 5 in 1 of 120.
    scores = {f"score{i}": -ERRORS[:num] for i in range(num_scores)}
    card = report_card(scores, {"size": ERRORS[:num]}, ERRORS[:num], num_resamples=200)
    assert card.beats_static is enough
    assert card.sentence.startswith("The score score0 beat" if enough else "Too few sources to show that a score beats")


def test_the_more_scores_are_tried_the_more_the_best_must_show():
    knn = [-0.28, -0.52, -0.46, -0.39, -1.13, -0.65, -1.01, -0.98]
    static = {"size": [0.13, -0.13, 0.64, 0.10, -0.54, 0.36, 1.30, 0.95]}
    alone = report_card({"knn": knn}, static, ERRORS, num_resamples=500)
    among = report_card({f"score{i}": knn for i in range(20)}, static, ERRORS, num_resamples=500)
    assert (alone.beats_static, among.beats_static) == (True, False)


def test_random_scores_rarely_beat_a_random_static_ranker():
    rng = np.random.default_rng(0)
    wins = 0
    for seed in range(40):
        noise = {f"score{i}": rng.normal(size=12) for i in range(4)}
        card = report_card(noise, {"size": rng.normal(size=12)}, rng.uniform(size=12), num_resamples=100, seed=seed)
        wins += card.beats_static is True
    assert wins <= 6


@pytest.mark.parametrize(
    ("scores", "static", "missing"), [({"a": -ERRORS}, {}, "static ranker"), ({}, {"b": ERRORS}, "score")]
)
def test_nothing_to_compare_is_said(scores, static, missing):
    card = report_card(scores, static, ERRORS, num_resamples=100)
    assert card.beats_static is None
    assert card.sentence == f"There is no {missing} to compare with, on 8 sources."


def test_intervals_hold_the_value_and_one_seed_gives_one_card():
    scores = {"knn": -ERRORS + np.tile([0.3, -0.3], 4)}
    card = report_card(scores, {"size": np.arange(8.0)}, ERRORS, num_resamples=200, seed=4)
    for row in card.rows:
        for estimate in (row.weighted_tau, row.rel_at_1, row.regret):
            assert estimate.low <= estimate.value <= estimate.high
    assert card == report_card(scores, {"size": np.arange(8.0)}, ERRORS, num_resamples=200, seed=4)


def test_every_fault_is_named_at_once():
    with pytest.raises(InputError) as caught:
        report_card({"knn": [1.0, np.nan], "x": [1, 2]}, {"x": [1, 2]}, [82.7, 0.5], num_resamples=99)
    assert str(caught.value).splitlines() == [
        "static: must not have the name of a score, but got 'x'.",
        "errors: must be at least 2 numbers in [0, 1], but got [82.7, 0.5]. Divide per cent by 100.",
        "knn: must have a finite value for each of the 2 sources, but got [1.0, nan]. "
        "Leave out a score that does not apply to all.",
        "num_resamples: must be at least 100, but got 99.",
    ]
