from __future__ import annotations

import json

import numpy as np
import pytest
from evaluation_cases import predictions, with_errors

from translearn.errors import InputError
from translearn.evaluate.sentences import sentence
from translearn.evaluate.summary import evaluate, finite

CLASSES = ["a", "b", "c"]
WINNER = {"source": "glyphs", "freeze_depth": 2, "lr": 0.0123, "val_error": float("nan")}


def models(rates, role, num, rng):
    return [with_errors(rng.random(num) < rate, role, seed) for seed, rate in enumerate(rates)]


def inputs(winner=(0.1, 0.1, 0.1), scratch=(0.3, 0.3, 0.3)):
    rng = np.random.default_rng(0)
    test = models(winner, "winner", 1000, rng) + models(scratch, "scratch", 1000, rng)
    return test, models(winner, "winner", 100, rng) + models(scratch, "scratch", 100, rng)


def test_it_is_json_without_nan():
    content = evaluate(*inputs(), CLASSES, winner=WINNER)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["winner"]["val_error"] is None


def test_target_and_scratch_are_means_over_their_seeds():
    test, validation = inputs()
    content = evaluate(test, validation, CLASSES, winner=WINNER)
    assert content["target"]["error"] == pytest.approx(np.mean([p.error for p in test[:3]]))
    assert content["scratch"]["error"] == pytest.approx(np.mean([p.error for p in test[3:]]))
    assert content["transfer"]["gain"] == pytest.approx(content["scratch"]["error"] - content["target"]["error"])
    assert content["target"]["low"] < content["target"]["error"] < content["target"]["high"]
    assert (content["num_test"], content["num_validation"]) == (1000, 100)


def test_validation_chooses_the_deployed_model_and_test_does_not():
    test = [with_errors([1, 1, 1, 0], seed=0), with_errors([0, 0, 0, 0], seed=1)]
    validation = [with_errors([0, 0], seed=0), with_errors([1, 0], seed=1)]
    content = evaluate(test, validation, CLASSES, winner=WINNER)
    assert content["deployed"]["seed"] == 0
    assert content["deployed"]["validation_minus_test"] == -0.75
    assert content["classification"]["error"] == 0.75


def test_without_scratch_there_is_no_verdict_and_it_says_so():
    test, validation = inputs(scratch=())
    content = evaluate(test, validation, CLASSES, winner={**WINNER, "source": "scratch"})
    assert content["transfer"] is None
    assert content["scratch"] is None
    assert content["summary"][2].startswith("Scratch won: no source had a lower validation error")


def test_sentences_are_plain():
    lines = evaluate(*inputs(), CLASSES, winner=WINNER)["summary"]
    assert lines[0].startswith("Target error: 10.6 % (95 % interval ")
    assert lines[0].endswith("; 1000 test examples, 3 seeds).")
    assert lines[1] == "Winner: glyphs, freeze depth 2, learning rate 0.012."
    assert lines[2].startswith("Transfer helped: the target error is ")
    assert " points lower than from scratch (95 % interval of the gain +" in lines[2]


def test_negative_transfer_is_said_as_plainly():
    lines = sentence(evaluate(*inputs(winner=(0.4,) * 3, scratch=(0.2,) * 3), CLASSES, winner=WINNER))
    assert lines[2].startswith("Transfer hurt: the target error is ")
    assert " points higher than from scratch (95 % interval of the gain -2" in lines[2]


def test_no_difference_is_not_called_a_gain():
    lines = sentence(evaluate(*inputs(winner=(0.2,), scratch=(0.2,)), CLASSES, winner=WINNER))
    assert lines[2].startswith("No difference shown: transfer gained ")
    assert lines[2].endswith("1000 test examples, 1 seed).")


def test_every_fault_is_named_at_once():
    test = [predictions([0, 1], [0, 1], "scratch", 0, num_classes=2)]
    with pytest.raises(InputError) as error:
        evaluate(test, [], CLASSES, winner=WINNER)
    assert str(error.value).splitlines() == [
        "evaluation: needs the winner's predictions on test, but got [('scratch', 0)]. Refit the winner.",
        "evaluation: every model must predict both splits, but got [('scratch', 0)] on test and [] on validation. "
        "Predict both.",
        "evaluation: probabilities must have 3 columns, one a class, but got [2]. Give the classes of the head.",
    ]


def test_a_seed_given_twice_is_a_fault():
    twice = [with_errors([0]), with_errors([1])]
    with pytest.raises(InputError, match=r"test: a role must have a seed once, but got \[\('winner', 0\)\]"):
        evaluate(twice, twice, CLASSES, winner=WINNER)


def test_finite_reaches_into_nests():
    assert finite({"a": [1.0, float("inf"), {"b": float("nan")}], "c": (2,)}) == {
        "a": [1.0, None, {"b": None}],
        "c": [2],
    }
