from __future__ import annotations

import json

import numpy as np
import pytest
from evaluation_cases import predictions, with_errors

from translearn.errors import InputError
from translearn.evaluation.summary import evaluate, finite
from translearn.evaluation.verdict.further_sentences import (
    calibration_sentences,
    class_sentences,
    dynamics_sentences,
    forgetting_sentences,
)
from translearn.evaluation.verdict.sentences import sentence

CLASSES = ["a", "b", "c"]
COUNTS = (10, 10, 12)
TRIALS = {
    "transfer": {"source": "glyphs", "freeze_depth": 2, "lr": 0.0123, "val_error": None, "val_loss": float("nan")},
    "scratch": {"source": "scratch", "freeze_depth": 0, "lr": 0.05, "val_error": 0.4},
}


def models(rates, role, num, rng):
    return [with_errors(rng.random(num) < rate, role, seed) for seed, rate in enumerate(rates)]


def inputs(winner=(0.1, 0.1, 0.1), scratch=(0.3, 0.3, 0.3)):
    rng = np.random.default_rng(0)
    test = models(winner, "transfer", 1000, rng) + models(scratch, "scratch", 1000, rng)
    return test, models(winner, "transfer", 100, rng) + models(scratch, "scratch", 100, rng)


def test_it_is_json_without_nan():
    content = evaluate(*inputs(), CLASSES, num_per_class=COUNTS, trials=TRIALS)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["winner"]["val_loss"] is None


def test_target_and_scratch_are_means_over_their_seeds():
    test, validation = inputs()
    content = evaluate(test, validation, CLASSES, num_per_class=COUNTS, trials=TRIALS)
    assert content["target"]["error"] == pytest.approx(np.mean([p.error for p in test[:3]]))
    assert content["configurations"]["scratch"]["error"] == pytest.approx(np.mean([p.error for p in test[3:]]))
    assert content["transfer"]["gain"] == pytest.approx(
        content["configurations"]["scratch"]["error"] - content["target"]["error"]
    )
    assert content["target"]["low"] < content["target"]["error"] < content["target"]["high"]
    assert (content["num_test"], content["num_validation"]) == (1000, 100)


def test_validation_chooses_the_deployed_model_and_test_does_not():
    baseline = [with_errors([1, 1, 1, 1], "scratch", 0), with_errors([1, 1, 1, 1], "scratch", 1)]
    test = [with_errors([1, 1, 1, 0], seed=0), with_errors([0, 0, 0, 0], seed=1), *baseline]
    validation = [
        with_errors(e, role, seed)
        for role, seed, e in (
            ("transfer", 0, [0, 0]),
            ("transfer", 1, [1, 0]),
            ("scratch", 0, [1, 1]),
            ("scratch", 1, [1, 1]),
        )
    ]
    content = evaluate(test, validation, CLASSES, num_per_class=COUNTS, trials=TRIALS)
    assert content["deployed"]["seed"] == 0
    assert content["deployed"]["validation_minus_test"] == -0.75
    assert content["classification"]["error"] == 0.75


def with_more_steps(rate):
    rng, trials = np.random.default_rng(1), {**TRIALS, "converged": {**TRIALS["scratch"], "val_error": None}}
    test, validation = inputs()
    longer = [models([rate] * 3, "converged", num, rng) for num in (1000, 100)]
    how = {"times_the_steps": 5, "steps": 2500}
    return evaluate(
        test + longer[0], validation + longer[1], CLASSES, num_per_class=COUNTS, trials=trials, convergence=how
    )


def test_the_gain_at_convergence_is_over_scratch_with_more_steps():
    content = with_more_steps(0.2)
    gain, equal = content["gain_at_convergence"], content["transfer"]
    assert gain["gain"] == pytest.approx(content["configurations"]["converged"]["error"] - content["target"]["error"])
    assert (gain["baseline"], gain["times_the_steps"], gain["steps"]) == ("converged", 5, 2500)
    assert gain["family_confidence"] == equal["family_confidence"] == 0.95  # it widens no interval
    assert gain["examples_test"]["p_holm"] >= equal["examples_test"]["p_holm"]
    assert with_more_steps(0.05)["winner"]["role"] == "converged"


def test_scratch_that_more_steps_do_not_help_is_at_convergence_already():
    content = evaluate(*inputs(), CLASSES, num_per_class=COUNTS, trials=TRIALS, convergence={"times_the_steps": 1})
    assert content["gain_at_convergence"]["gain"] == content["transfer"]["gain"]
    assert evaluate(*inputs(), CLASSES, num_per_class=COUNTS, trials=TRIALS)["gain_at_convergence"] is None


def with_probe(rate, **transfer):
    rng = np.random.default_rng(2)
    trials = {**TRIALS, "transfer": {**TRIALS["transfer"], **transfer}, "probe": TRIALS["transfer"]}
    test, validation = inputs()
    probe = [models([rate] * 3, "probe", num, rng) if not transfer else [] for num in (1000, 100)]
    return evaluate(test + probe[0], validation + probe[1], CLASSES, num_per_class=COUNTS, trials=trials)[
        "linear_probe"
    ]


def test_the_cheaper_model_is_known_where_fine_tuning_is_not_shown_better():
    assert with_probe(0.3)["is_fine_tuning_better"]
    found = with_probe(0.1)
    assert (found["is_fine_tuning_better"], found["is_best_transfer"], found["role"]) == (False, False, "probe")
    assert found["low"] < found["error"] < found["high"]
    assert found["seed"] in (0, 1, 2)
    assert (with_probe(0.1, is_probe=True)["role"], with_probe(0.1, is_probe=True)["is_best_transfer"]) == (
        "transfer",
        True,
    )
    assert evaluate(*inputs(), CLASSES, num_per_class=COUNTS, trials=TRIALS)["linear_probe"] is None


def test_scratch_wins_where_its_validation_error_is_lower_and_the_verdict_stays():
    content = evaluate(*inputs(winner=(0.4,) * 3, scratch=(0.2,) * 3), CLASSES, num_per_class=COUNTS, trials=TRIALS)
    assert (content["winner"]["role"], content["winner"]["lr"], content["deployed"]["role"]) == (
        "scratch",
        0.05,
        "scratch",
    )
    assert content["target"] == content["configurations"]["scratch"]
    assert content["transfer"]["verdict"] == "hurt"
    assert content["summary"][1] == (
        "Winner: scratch, freeze depth 0, learning rate 0.05: its validation error is lower than that of the best "
        "transfer, from glyphs."
    )


def test_sentences_are_plain():
    lines = evaluate(*inputs(), CLASSES, num_per_class=COUNTS, trials=TRIALS)["summary"]
    assert lines[0].startswith("Target error: 10.6 % (95 % interval ")
    assert lines[0].endswith("; 1000 test images, 3 seeds); always answering c: 100.0 %.")
    assert lines[1] == "Winner: glyphs, freeze depth 2, learning rate 0.012."
    assert lines[2].startswith("Classes: transfer helped a (+")
    assert lines[3].startswith("Calibration: confidence and accuracy differ by ")
    assert lines[4] == "Linear probe: there is none to compare with, as none of its refits came to the end."
    assert lines[5].startswith("Transfer helped: its error of 10.6 % is ")
    assert " points lower (95 % interval 1" in lines[5]
    assert lines[5].endswith("; longer training of scratch was not tried, as refit.baseline_cap is 1.")
    assert len(lines) == 6


def test_a_probe_is_a_configuration_and_a_comparison_of_its_own():
    rng = np.random.default_rng(1)
    test, validation = inputs()
    content = evaluate(
        test + models((0.2,) * 3, "probe", 1000, rng),
        validation + models((0.01,) * 3, "probe", 100, rng),
        CLASSES,
        num_per_class=COUNTS,
        trials={**TRIALS, "probe": {"source": "glyphs", "freeze_depth": 5, "lr": 0.1, "val_error": 0.01}},
    )
    assert set(content["configurations"]) == {"transfer", "scratch", "probe"}
    assert content["over_probe"]["baseline"] == "probe"
    assert content["transfer"]["family_confidence"] == content["over_probe"]["family_confidence"] == 0.975
    assert content["winner"]["role"] == content["deployed"]["role"] == "probe"  # validation chooses
    assert content["target"]["optimism"]["search"]["value"] == pytest.approx(0.01 - content["target"]["error"])
    lines = content["summary"]
    assert lines[1] == "Winner: glyphs, freeze depth 5, learning rate 0.1."
    assert any(line.startswith("Validation: the winner's error there minus that on test is -") for line in lines)
    assert any(
        line.startswith("Linear probe: fine-tuning is better than the linear probe of its source (gain +")
        for line in lines
    )


def test_without_a_probe_there_is_one_comparison():
    content = evaluate(*inputs(), CLASSES, num_per_class=COUNTS, trials=TRIALS)
    assert (content["over_probe"], content["transfer"]["family_confidence"]) == (None, 0.95)


def test_a_second_reading_of_test_is_said():
    assert not any(
        "Warning" in line for line in evaluate(*inputs(), CLASSES, num_per_class=COUNTS, trials=TRIALS)["summary"]
    )
    content = evaluate(*inputs(), CLASSES, num_per_class=COUNTS, trials=TRIALS, test_reads=2)
    assert content["test_reads"] == 2
    assert content["summary"][-3] == (
        "Warning: test was read 2 times (test_reads.json says when and why): what was decided after the first reading "
        "may rest on it."
    )


@pytest.mark.parametrize(
    ("bound", "line"),
    [
        (None, "Labels: with about 40 labels transfer reaches the validation error of scratch with all 160."),
        ("at most", "Labels: with at most 40 labels transfer reaches the validation error of scratch with all 160."),
        ("more than", "Labels: with all 160 labels transfer does not reach the validation error of scratch."),
    ],
)
def test_what_the_source_is_worth_is_said(bound, line):
    labels = {"num_labels": 160, "worth": {"labels": 40.2, "bound": bound}}
    assert line in evaluate(*inputs(), CLASSES, num_per_class=COUNTS, trials=TRIALS, more={"labels": labels})["summary"]


DYNAMICS = {
    "threshold": 0.3,
    "roles": {
        "transfer": {
            "epochs_to_threshold": {"value": 1.5, "of_seeds": [1, 2], "num_censored": 0},
            "seconds_to_threshold": {"value": 12.34},
        }
    },
    "gains": {
        "transfer": {
            "jumpstart": {"value": 0.3, "low": 0.25, "high": 0.35},
            "asymptotic": {"value": 0.05, "low": None, "high": None},
        }
    },
}


def test_how_fast_transfer_learnt_is_said():
    assert dynamics_sentences(DYNAMICS) == [
        "Learning: on validation transfer is ahead of scratch by +30.0 points (+25.0 to +35.0) after the first epoch, "
        "by +5.0 points at the end; it reaches the final error of scratch after 1.5 epochs."
    ]
    late = {"value": None, "of_seeds": [1, None], "num_censored": 1}
    role = {"epochs_to_threshold": late, "seconds_to_threshold": {**late, "of_seeds": [3.0, None]}}
    (line,) = dynamics_sentences({**DYNAMICS, "roles": {"transfer": role}})
    assert line.endswith("at the end; with 1 of 2 seeds it does not reach the final error of scratch.")
    assert dynamics_sentences(None) == []


def test_only_classes_of_which_a_difference_is_shown_are_named():
    row = {"class": "cat", "gain": 0.02, "verdict": "no difference shown"}
    assert class_sentences([row]) == []
    many = [{"class": f"c{n}", "gain": 0.5 - 0.05 * n, "verdict": "helped"} for n in range(7)]
    assert class_sentences([row, *many, {"class": "dog", "gain": -0.2, "verdict": "hurt"}]) == [
        "Classes: transfer helped c0 (+50.0), c1 (+45.0), c2 (+40.0), c3 (+35.0), c4 (+30.0) and 2 more; "
        "transfer hurt dog (-20.0), corrected for 9 classes."
    ]


def test_calibration_and_forgetting_are_said():
    made = {"temperature": 1.307, "before": {"ece": 0.052}, "after": {"ece": 0.021}}
    assert calibration_sentences(made) == [
        "Calibration: confidence and accuracy differ by 5.2 points on average (ECE), by 2.1 points after temperature "
        "scaling (1.31)."
    ]
    lost = {"before": {"value": 0.05}, "after": {"value": 0.25}, "rise": {"value": 0.2, "low": 0.18, "high": 0.22}}
    assert forgetting_sentences(lost) == [
        "Forgetting: on its own task the source's error goes from 5.0 to 25.0 %, by +20.0 points (+18.0 to +22.0)."
    ]
    assert forgetting_sentences(None) == calibration_sentences(None) == []


def test_all_further_lines_are_in_the_summary():
    lost = {"before": {"value": 0.05}, "after": {"value": 0.25}, "rise": {"value": 0.2, "low": 0.18, "high": 0.22}}
    more = {"dynamics": DYNAMICS, "forgetting": lost}
    lines = evaluate(*inputs(), CLASSES, num_per_class=COUNTS, trials=TRIALS, more=more)["summary"]
    starts = [line.partition(":")[0] for line in lines]
    assert starts[2:6] == ["Learning", "Classes", "Forgetting", "Calibration"]


@pytest.mark.parametrize(
    ("sizes", "order"),
    [((1e7, 2e7, 3e7, 3e7), ["Ranking", "Learning", "Classes"]), ((1e7,) * 4, ["Learning", "Classes", "Ranking"])],
    ids=["several architectures", "one"],
)
def test_whether_scores_beat_size_is_said_first_where_sources_differ_in_it(sizes, order):
    sources = [{"num_parameters": size} for size in sizes]
    ranking = {"sources": sources, "errors": [{}] * 4, "card": {"sentence": "No score beat the static ranker here."}}
    more = {"dynamics": DYNAMICS, "ranking": ranking}
    lines = evaluate(*inputs(), CLASSES, num_per_class=COUNTS, trials=TRIALS, more=more)["summary"]
    assert [line.partition(":")[0] for line in lines][2:5] == order
    assert "Ranking: No score beat the static ranker here." in lines


def test_a_transfer_that_is_a_probe_itself_is_compared_with_none():
    trials = {**TRIALS, "transfer": {**TRIALS["transfer"], "is_probe": True}}
    assert (
        "Linear probe: the best transfer is one itself."
        in evaluate(*inputs(), CLASSES, num_per_class=COUNTS, trials=trials)["summary"]
    )


def test_negative_transfer_is_said_as_plainly():
    lines = sentence(
        evaluate(*inputs(winner=(0.4,) * 3, scratch=(0.2,) * 3), CLASSES, num_per_class=COUNTS, trials=TRIALS)
    )
    assert lines[-1].startswith("Transfer hurt: its error of ")
    assert " points higher (95 % interval 1" in lines[-1]


def test_no_difference_is_not_called_a_gain():
    lines = sentence(evaluate(*inputs(winner=(0.2,), scratch=(0.2,)), CLASSES, num_per_class=COUNTS, trials=TRIALS))
    assert lines[-1].startswith("No difference shown between transfer, with an error of ")


@pytest.mark.parametrize(("role", "missing"), [("transfer", "scratch"), ("scratch", "transfer")])
def test_one_role_alone_has_a_model_and_no_comparison(role, missing):
    test, validation = ([p for p in group if p.role == role] for group in inputs())
    more = {"left_out": {"scratch-0": ["refit scratch-0-0: nan."], "transfer-0": ["refit transfer-0-2: inf.", "more"]}}
    content = evaluate(test, validation, CLASSES, num_per_class=COUNTS, trials=TRIALS, more=more)
    assert (content["deployed"]["role"], content["target"]) == (role, content["configurations"][role])
    assert (content["transfer"], content["over_probe"], content["class_gains"]) == (None, None, [])
    assert content["verdict"]["verdict"] == "not compared"
    assert content["summary"][-1] == (
        f"Not compared: no trial of {missing} came to its end with every seed. The first: "
        f"{more['left_out'][missing + '-0'][0]} A study with a lower range of search.lr, with train.clip_norm, or with "
        "more search.trials and refit.candidates may have one."
    )


def test_every_fault_is_named_at_once():
    test = [predictions([0, 1], [0, 1], "probe", 0, num_classes=2)]
    with pytest.raises(InputError) as error:
        evaluate(test, [], CLASSES, num_per_class=COUNTS, trials=TRIALS)
    assert str(error.value).splitlines() == [
        "evaluation: needs predictions of transfer or of scratch, but got none. Refit both.",
        "evaluation: every model must predict both splits, but got [('probe', 0)] on test and [] on validation. "
        "Predict both.",
        "evaluation: probabilities must have 3 columns, one a class, but got [2]. Give the classes of the head.",
    ]


def test_a_seed_given_twice_is_a_fault():
    twice = [with_errors([0]), with_errors([1]), with_errors([1], "scratch")]
    with pytest.raises(InputError, match=r"test: a role must have a seed once, but got \[\('transfer', 0\)\]"):
        evaluate(twice, twice, CLASSES, num_per_class=COUNTS, trials=TRIALS)


def test_finite_reaches_into_nests():
    assert finite({"a": [1.0, float("inf"), {"b": float("nan")}], "c": (2,)}) == {
        "a": [1.0, None, {"b": None}],
        "c": [2],
    }
