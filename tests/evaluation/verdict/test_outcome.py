"""The verdict from both gains, the least that a classifier can do, and what to do next."""

from __future__ import annotations

import re

import numpy as np
import pytest
from evaluation_cases import predictions

from translearn.evaluation.summary import evaluate
from translearn.evaluation.verdict.most_frequent import is_unequal, learned, most_frequent

CLASSES, NUM = ["a", "b", "c"], 300
LABELS = np.repeat([0, 1, 2], NUM // 3)
HELPED = r"Transfer helped: its error of .* % is .* points lower \(95 % interval .* to .*\) than that of scratch .*"
WHEN = "scratch trains 4 times as long"
BUDGET = {"refit_steps": 500, "enough_steps": 500, "warnings": []}


def models(role, rate, rng, labels=LABELS, seeds=3):
    """Some seeds' models that are wrong at this rate; at None they always answer ``b``."""
    return [
        predictions(labels, np.full(len(labels), 1) if rate is None else _answers(labels, rate, rng), role, seed)
        for seed in range(seeds)
    ]


def _answers(labels, rate, rng):
    return np.where(rng.random(len(labels)) < rate, (labels + 1) % 3, labels)


def evaluated(transfer=0.1, scratch=0.3, converged=None, times=4, more=None, seeds=3, **rates):
    rng = np.random.default_rng(4)
    rates = {"transfer": transfer, "scratch": scratch, **rates}
    how = None if converged is None else {"times_the_steps": times, "steps": 500 * times, "cap": 5, "is_at_cap": False}
    if converged is not None and times > 1:
        rates["converged"] = converged
    test, validation = (
        [m for role, rate in rates.items() for m in models(role, rate, rng, seeds=seeds)] for _ in range(2)
    )
    trial = {"source": "glyphs", "freeze_depth": 0, "lr": 0.01}
    trials = {role: {**trial, "source": role} if role != "transfer" else trial for role in rates}
    more = {"budget": BUDGET, **(more or {})}
    return evaluate(test, validation, CLASSES, num_per_class=(10, 12, 10), trials=trials, convergence=how, more=more)


@pytest.mark.parametrize(
    ("rates", "verdict", "start", "end"),
    [
        ({"converged": 0.2}, "helped", HELPED, r", and still \d.* points lower \(\d.* to \d.*\) when WHEN\."),
        ({"converged": 0.3, "times": 1}, "helped", HELPED, r"; longer training does not help scratch\."),
        ({}, "helped", HELPED, r"; longer training of scratch was not tried, as refit\.baseline_cap is 1\."),
        (
            {"converged": 0.1},
            "saves training, not error",
            "Transfer saves training, not error: its error of .* points lower",
            r"steps, but not shown to differ when WHEN \(gain .* points, -.* to \+.*\)\.",
        ),
        (
            {"transfer": 0.2, "scratch": 0.4, "converged": 0.02},
            "saves training, not error",
            "Transfer saves training, not error: its error of .* points lower",
            r"steps, but .* points higher \(\d.* to \d.*\) when WHEN\.",
        ),
        (
            {"transfer": 0.4, "scratch": 0.2, "converged": 0.1},
            "hurt",
            r"Transfer hurt: its error of .* % is .* points higher \(95 % interval \d.* to \d.*\) than",
            r"steps; it is .* points higher \(\d.* to \d.*\) when WHEN\.",
        ),
        (
            {"transfer": 0.3, "converged": 0.3},
            "no difference shown",
            "No difference shown between transfer, with an error of .* %, and scratch with as many steps",
            r"\(gain .* points, 95 % interval .*\), and not shown to differ when WHEN \(gain .*\)\.",
        ),
    ],
)
def test_the_verdict_says_both_gains_in_one_sentence(rates, verdict, start, end):
    found = evaluated(**rates)
    assert found["verdict"]["verdict"] == verdict
    assert re.fullmatch(f"{start}.*{end}".replace("WHEN", WHEN), found["verdict"]["sentence"])
    assert found["summary"][-1] == found["verdict"]["sentence"]


@pytest.mark.parametrize(
    ("budget", "remedy"),
    [
        ({**BUDGET, "refit_steps": 40}, "Set search.epochs and refit.epochs to auto: 500 steps."),
        (BUDGET, "Raise refit.epochs, or search.trials for more learning rates of scratch."),
    ],
)
def test_scratch_that_answers_one_class_makes_no_verdict(budget, remedy):
    found = evaluated(scratch=None, more={"budget": budget})
    assert found["transfer"]["verdict"] == "helped"
    assert found["verdict"] == {
        "verdict": "scratch did not learn",
        "sentence": f"Scratch did not learn within {budget['refit_steps']} steps: its error of 66.7 % is not shown to "
        f"be below the 66.7 % of always answering b. So nothing can be said of transfer. {remedy}",
    }
    assert not any("helped" in line for line in found["summary"])
    assert (found["scratch"]["gain"], found["scratch"]["learned"]) == (0, False)


def test_scratch_that_learned_with_more_steps_has_learned():
    found = evaluated(scratch=None, converged=0.3)
    assert found["scratch"]["learned"]
    assert found["verdict"]["verdict"] == "helped"


def test_the_most_frequent_class_is_that_of_training():
    (model,) = models("scratch", 0.2, np.random.default_rng(0), labels=np.array([0] * 6 + [1] * 2 + [2] * 2))[:1]
    found = most_frequent([5, 9, 9], model, CLASSES)
    assert (found["class"], found["error"], found["balanced_error"]) == ("b", 0.8, pytest.approx(2 / 3))
    assert found["low"] < 0.8 < found["high"]
    assert is_unequal(model.labels)
    assert not is_unequal(LABELS)


def test_null_scratch_is_rarely_said_to_have_learned():
    rng, repeats = np.random.default_rng(5), 200
    claimed = sum(learned([1, 2, 1], models("scratch", 2 / 3, rng))["learned"] for _ in range(repeats))
    assert claimed / repeats <= 0.025 + 3 * np.sqrt(0.025 / repeats)


def test_unequal_classes_have_a_balanced_error_in_the_first_line():
    assert "balanced over the classes" not in evaluated()["summary"][0]
    lines = evaluated()["summary"]
    assert lines[0].endswith("; 300 test images, 3 seeds); always answering b: 66.7 %.")


def counts(num):
    row = {"num": 9, "num_different": 9}
    few = {"class": "a", "train": row, "val": row, "test": {"num": 9, "num_different": num}}
    return {"classes": [few, *({"class": name, "train": row, "val": row, "test": row} for name in "bc")]}


def test_classes_with_fewer_than_five_pictures_are_named():
    found = evaluated(more={"pictures": counts(4)})
    warning = "Warning: few different pictures of a (4 in test): add images, or merge classes."
    assert warning in found["summary"]
    assert found["next_steps"][0] == (
        "Add different images, or merge classes: a (4 in test) are too few to measure an error."
    )
    assert not any("Warning" in line for line in evaluated(more={"pictures": counts(5)})["summary"])


def test_what_to_do_next_comes_from_the_figures():
    few = evaluated(more={"budget": {**BUDGET, "refit_steps": 40}})["next_steps"]
    assert few == ["Train with more steps: set search.epochs and refit.epochs to auto (500 instead of 40 steps)."]
    probe = evaluated(probe=0.1)["next_steps"]
    assert probe[0].startswith(
        "Consider the cheaper model: fine-tuning is not shown to be better than the linear probe"
    )
    assert evaluated(transfer=0.3)["next_steps"] == [
        "Try another source: none of these is shown to lower the error more than training from scratch does."
    ]
    one_class = models("transfer", 0.0, np.random.default_rng(0))
    assert one_class[0].error == 0


@pytest.mark.parametrize(
    ("seeds", "steps"),
    [
        (1, ["Set refit.seeds to 3: one seed does not show how much the error differs from one training to the next."]),
        (2, ["Set refit.seeds to 3: two seeds hardly show how much the error differs from one training to the next."]),
        (3, []),
    ],
)
def test_few_seeds_ask_for_three(seeds, steps):
    assert evaluated(seeds=seeds)["next_steps"] == steps


def test_the_class_with_most_mistakes_is_to_be_labelled():
    rng = np.random.default_rng(1)
    wrong = [
        predictions(LABELS, np.where((LABELS == 2) & (rng.random(NUM) < 0.3), 1, LABELS), "transfer", s)
        for s in range(3)
    ]
    scratch = models("scratch", 0.4, rng)
    trials = {role: {"source": role, "freeze_depth": 0, "lr": 0.1} for role in ("transfer", "scratch")}
    found = evaluate([*wrong, *scratch], [*wrong, *scratch], CLASSES, num_per_class=(1, 1, 1), trials=trials)
    num = found["classification"]["confusion"][2][1]
    assert found["next_steps"] == [f"Label more images of c: {num} of the {num} mistakes are on its 100 test images."]


def test_there_are_at_most_eight_lines_and_the_verdict_is_last():
    leaks = {
        "sources": [{"source": f"s{n}", "num_exact": 1, "num_near": 0, "num_test": 9} for n in range(4)],
        "unchecked": ["x"],
    }
    budget = {**BUDGET, "refit_steps": 40, "warnings": ["few steps."]}
    found = evaluated(probe=0.1, more={"budget": budget, "leaks": leaks, "pictures": counts(1)})
    assert len(found["summary"]) == 8
    assert "Warning: 4 more warnings are in the report." in found["summary"]
    assert found["summary"][-1] == found["verdict"]["sentence"]


def test_warnings_of_the_targets_own_images_come_before_those_of_the_budget():
    check, budget = {"warnings": ["of the target's 30 test images 2 exact"]}, {**BUDGET, "warnings": ["few steps"]}
    lines = evaluated(more={"target_check": check, "budget": budget})["summary"]
    found = [line for line in lines if line.startswith("Warning: ")]
    assert found == ["Warning: of the target's 30 test images 2 exact", "Warning: few steps"]
