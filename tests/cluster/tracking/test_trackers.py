"""Trackers: what they get, and that none of their failures reaches the study."""

from __future__ import annotations

import pickle
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from tracker_cases import ANSWERS, FakeTracker, job, row, spec_with, use

from translearn.cluster.tracking import connections
from translearn.cluster.tracking.connections import tracker_faults, tracking
from translearn.cluster.tracking.trackers import run_tracker, track_result, trial_callbacks

SPEC = spec_with(mlflow=ANSWERS)
TRIAL = SimpleNamespace(trial_id="1", config={"lr": 0.1}, last_result={})
RESULT = {
    "training_iteration": 1,
    "val_error": 0.5,
    "pid": 7,
    "done": False,
    "config": {"lr": 0.1},
    "precision": "fp32",
}


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> FakeTracker:
    return use(monkeypatch, FakeTracker())


def test_a_run_is_sent_from_its_first_epoch_to_its_last(tracker: FakeTracker) -> None:
    with tracking(SPEC, "runs/pets", "today"):
        follow = run_tracker(
            SPEC, "refit", [job("scratch-0-0", source="scratch", refit_seed=5, seed=0, roles=["scratch"])]
        )
        follow(row("scratch-0-0", 1, cached_s=None))
        follow(row("scratch-0-0", 2))
    assert tracker.calls == [
        ("setup",),
        ("start", "scratch-0-0", {"source": "scratch", "arch": "resnet18", "seed": 5}),
        ("result", "scratch-0-0", {"training_iteration": 1, "val_error": 0.5, "lr": 0.1}),
        ("result", "scratch-0-0", {"training_iteration": 2, "val_error": 0.25, "lr": 0.1}),
        ("end", "scratch-0-0", False),
    ]


def test_a_run_that_diverged_ends_as_failed_with_its_reason(tracker: FakeTracker) -> None:
    with tracking(SPEC, "runs/pets", "today"):
        run_tracker(SPEC, "refit", [job("a")])(row("a", 1, reason="the loss is infinite"))
    assert tracker.calls[2:] == [("texts", "a", {"reason": "the loss is infinite"}), ("end", "a", True)]


def test_trials_are_sent_with_the_figures_that_the_trainable_reports(tracker: FakeTracker) -> None:
    (callback,) = pickle.loads(pickle.dumps(trial_callbacks(SPEC)))
    with tracking(SPEC, "runs/pets", "today"):
        send_trial(callback)
    assert [call[0] for call in tracker.calls] == ["setup", "start", "result", "end"]
    assert tracker.calls[2][-1] == {"training_iteration": 1, "val_error": 0.5}


def send_trial(callback: Any) -> None:
    callback.on_trial_start(iteration=0, trials=[], trial=TRIAL)
    callback.on_trial_result(iteration=9, trials=[], trial=TRIAL, result=RESULT)
    callback.on_trial_complete(iteration=9, trials=[], trial=TRIAL)


def test_a_trial_that_diverged_ends_as_failed_with_its_reason(tracker: FakeTracker) -> None:
    trial = SimpleNamespace(trial_id="1", config={}, last_result={"reason": "the loss is infinite"})
    with tracking(SPEC, "runs/pets", "today"):
        trial_callbacks(SPEC)[0].on_trial_complete(iteration=1, trials=[], trial=trial)
    assert [call[-1] for call in tracker.calls[1:]] == [{"reason": "the loss is infinite"}, True]


def test_what_tune_pickles_of_the_callback_holds_the_name_of_the_study_alone() -> None:
    assert vars(trial_callbacks(SPEC)[0]) == {"_study": "pets"}


def test_the_result_has_figures_of_its_intervals_and_texts(tracker: FakeTracker) -> None:
    gain = {"gain": 0.1, "low": 0.0, "high": 0.2, "family_low": None, "family_high": None, "verdict": "helped"}
    evaluation = {
        "winner": {"source": "a", "freeze_depth": 1, "lr": 0.1, "weight_decay": 0.0, "trial_id": "x"},
        "target": {"error": 0.3, "low": 0.2, "high": 0.4, "num": 9},
        "transfer": gain,
        "over_probe": None,
        "verdict": {"verdict": "helped"},
        "summary": ["Transfer helped.", "By 10 points."],
        "test_reads": 1,
    }
    with tracking(SPEC, "runs/pets", "today"):
        track_result(SPEC, evaluation, {"model": "runs/pets/model"})
    target = {"target_error": 0.3, "target_low": 0.2, "target_high": 0.4}
    transfer = {"transfer_gain": 0.1, "transfer_gain_low": 0.0, "transfer_gain_high": 0.2}
    verdict = {"verdict": "helped", "summary": "Transfer helped.\nBy 10 points."}
    assert tracker.calls[1:] == [
        ("start", "pets", {"source": "a", "freeze_depth": 1, "lr": 0.1, "weight_decay": 0.0}),
        ("result", "pets", {"training_iteration": 1, **target, **transfer}),
        ("texts", "pets", {**verdict, "model": "runs/pets/model"}),
        ("end", "pets", False),
    ]


def test_nothing_is_sent_outside_of_the_block_nor_of_another_study(tracker: FakeTracker) -> None:
    other = SPEC.model_copy(update={"name": "birds"})
    with tracking(SPEC, "runs/pets", "today"):
        send_trial(trial_callbacks(other)[0])
    send_trial(trial_callbacks(SPEC)[0])
    with tracking(spec_with(), "runs/pets", "today"):
        send_trial(trial_callbacks(SPEC)[0])
    assert tracker.calls == [("setup",)]


def test_an_interrupted_command_leaves_no_run_that_seems_to_go_on(tracker: FakeTracker) -> None:
    with pytest.raises(KeyboardInterrupt), tracking(SPEC, "runs/pets", "today"):
        raise KeyboardInterrupt
    assert tracker.calls == [("setup",), ("interrupt",)]


@pytest.mark.parametrize("method", ["setup", "start", "result", "texts", "end"])
def test_a_tracker_that_fails_is_switched_off_with_one_warning(
    method: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tracker = use(monkeypatch, FakeTracker(method))
    with tracking(SPEC, "runs/pets", "today"):
        for name in "ab":
            run_tracker(SPEC, "refit", [job(name)])(row(name, 1, reason="why" if method == "texts" else None))
            run_tracker(SPEC, "refit", [job(name)])(row(name, 2, reason="why"))
            send_trial(trial_callbacks(SPEC)[0])
    assert capsys.readouterr().out.splitlines() == [
        "MLflow: experiment pets at databricks",
        "warning: MLflow: nobody there at http://***@host. Nothing more is sent to it; the study goes on.",
    ]
    assert ("start", "b", {"arch": "resnet18"}) not in tracker.calls


def test_a_server_that_is_away_is_a_warning_before_its_library_is_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(connections, "_tracker", None)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        spec = spec_with(mlflow={"tracking_uri": address})
        with tracking(spec, "runs/pets", "today"):
            send_trial(trial_callbacks(spec)[0])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"warning: MLflow: {address} does not answer (")
    assert line.endswith("Connection refused). Nothing more is sent to it; the study goes on.")


def test_an_extra_that_is_missing_is_a_fault_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "find_spec", lambda _: None)
    assert tracker_faults(spec_with()) == []
    remedy = "Run `pip install -c constraints.txt 'translearn[{0}]'`, or leave it out: --set cluster.trackers.{0}=null."
    assert tracker_faults(spec_with(mlflow=ANSWERS, wandb={})) == [
        f"cluster.trackers.{name}: needs the extra {name}, but got an environment without it. {remedy.format(name)}"
        for name in ("mlflow", "wandb")
    ]
