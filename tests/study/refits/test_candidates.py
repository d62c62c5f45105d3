"""Which trials are refitted, which is chosen, and which labels the runs with fewer of them have."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.config import StudySpec
from translearn.config.check import parse_spec
from translearn.data.batches import num_steps
from translearn.errors import TranslearnError
from translearn.study.refits.candidates import candidates, final_choice
from translearn.study.refits.depth_runs import depth_runs
from translearn.study.refits.label_runs import label_runs, label_sizes, nested_rows
from translearn.study.refits.refit import refit_seeds, run_name

SOURCES: dict[str, Any] = {
    "a": SimpleNamespace(kind="pretrain", arch="resnet18"),
    "b": SimpleNamespace(kind="weights", arch="resnet34"),
    "scratch-resnet18": SimpleNamespace(kind="scratch", arch="resnet18"),
    "scratch-resnet34": SimpleNamespace(kind="scratch", arch="resnet34"),
}


def trial(trial_id: str, source: str, error: float | None, depth: int = 0, lr: float = 0.01, **more: Any) -> dict:
    own = {"trial_id": trial_id, "source": source, "arch": SOURCES[source].arch, "val_error": error, "val_loss": error}
    return {**own, "freeze_depth": depth, "lr": lr, "weight_decay": 0.0, "status": "done", "epochs": 9, **more}


TRIALS = [
    trial("t0", "a", 0.3),
    trial("t1", "a", 0.1, depth=2),
    trial("t2", "a", 0.1, depth=2),  # the same configuration again
    trial("t3", "a", 0.2, depth=5),
    trial("t4", "a", 0.15, depth=5, lr=0.1),
    trial("t5", "scratch-resnet18", 0.4),
    trial("t6", "scratch-resnet18", 0.5, lr=0.1),
    trial("t7", "scratch-resnet18", 0.6, lr=0.001),
    trial("t8", "scratch-resnet34", 0.01),
]


def listed(found):
    return {c.name: (c.trial["trial_id"], c.roles) for c in found}


def test_as_many_of_scratch_as_of_transfer_and_the_best_probe():
    found = listed(candidates([row for row in TRIALS if row["trial_id"] != "t4"], SOURCES, 2, 0.03))
    assert found == {
        "transfer-0": ("t1", ("transfer",)),
        "transfer-1": ("t3", ("transfer", "probe")),
        "scratch-0": ("t5", ("scratch",)),
        "scratch-1": ("t6", ("scratch",)),
    }
    assert listed(candidates(TRIALS, SOURCES, 1, 0.03))["probe-0"] == ("t4", ("probe",))


def test_one_configuration_is_refitted_once():
    ids = [c.trial["trial_id"] for c in candidates(TRIALS, SOURCES, 9, 0.03)]
    assert len(ids) == len(set(ids))
    assert "t2" not in ids


def test_the_number_of_trials_behind_each_choice_is_kept():
    nums = {c.name: c.trial["num_trials"] for c in candidates(TRIALS, SOURCES, 1, 0.03)}
    assert nums == {"transfer-0": 5, "scratch-0": 3, "probe-0": 2}


def test_scratch_of_every_architecture_among_the_best():
    found = listed(candidates([*TRIALS, trial("t9", "b", 0.12)], SOURCES, 2, 0.03))
    assert [trial_id for trial_id, _ in found.values()] == ["t1", "t9", "t5", "t6", "t8", "t4", "probe-resnet34"]


def test_where_the_search_had_no_probe_one_of_the_best_source_is_added():
    (probe,) = [c for c in candidates(TRIALS[:3] + TRIALS[5:], SOURCES, 2, 0.03) if "probe" in c.roles]
    assert (probe.name, probe.trial["source"], probe.trial["freeze_depth"], probe.trial["lr"]) == (
        "probe-0",
        "a",
        5,
        0.03,
    )
    assert (probe.trial["val_error"], probe.trial["num_trials"]) == (None, 0)


def failed(*sources: str) -> list[dict]:
    return [{**row, "status": "failed", "val_error": None} if row["source"] in sources else row for row in TRIALS]


def test_failed_trials_are_no_candidates_and_one_role_is_enough():
    found = listed(candidates(failed("scratch-resnet18"), SOURCES, 1, 0.03))
    assert found == {"transfer-0": ("t1", ("transfer",)), "probe-0": ("t4", ("probe",))}
    found = listed(candidates(failed("a"), SOURCES, 2, 0.03))  # the two best are of different architectures
    assert {name: trial_id for name, (trial_id, _) in found.items()} == {
        "scratch-0": "t8",
        "scratch-1": "t5",
        "scratch-2": "t6",
    }


def test_a_search_without_any_result_is_a_fault():
    with pytest.raises(TranslearnError) as error:
        candidates(failed(*SOURCES), SOURCES, 2, 0.03)
    assert str(error.value) == (
        "search: no trial gave a result, so there is nothing to refit. Raise search.trials, or lower the range of "
        "search.lr."
    )


def test_the_final_choice_has_the_lowest_error_of_the_refits():
    found = candidates(TRIALS, SOURCES, 2, 0.03)  # transfer-0 (depth 2), transfer-1 (probe), scratch-0, scratch-1
    errors = {"transfer-0": 0.2, "transfer-1": 0.3, "scratch-0": 0.5, "scratch-1": 0.4}
    assert {role: c.name for role, c in final_choice(found, errors).items()} == {
        "transfer": "transfer-0",
        "scratch": "scratch-1",
        "probe": "transfer-1",
    }


def test_a_chosen_probe_is_not_compared_with_a_probe():
    found = candidates(TRIALS, SOURCES, 2, 0.03)
    errors = {"transfer-0": 0.3, "transfer-1": 0.2, "scratch-0": 0.5, "scratch-1": 0.5}
    assert {role: c.name for role, c in final_choice(found, errors).items()} == {
        "transfer": "transfer-1",
        "scratch": "scratch-0",
    }


def test_scratch_has_the_architecture_of_the_chosen_transfer():
    found = candidates([*TRIALS, trial("t9", "b", 0.12)], SOURCES, 2, 0.03)
    errors = {c.name: 0.5 for c in found} | {"transfer-1": 0.1}
    chosen = final_choice(found, errors)
    assert (chosen["transfer"].trial["trial_id"], chosen["scratch"].trial["trial_id"]) == ("t9", "t8")
    assert chosen["probe"].trial["trial_id"] == "probe-resnet34"


def test_without_transfer_the_best_of_scratch_is_chosen_and_without_scratch_the_probe_stays():
    found = candidates(TRIALS, SOURCES, 2, 0.03)
    errors = {"transfer-0": 0.2, "transfer-1": 0.3, "scratch-0": 0.5, "scratch-1": 0.4}
    of_scratch, others = ([c for c in found if (c.roles == ("scratch",)) is is_scratch] for is_scratch in (True, False))
    assert {role: c.name for role, c in final_choice(of_scratch, errors).items()} == {"scratch": "scratch-1"}
    assert {role: c.name for role, c in final_choice(others, errors).items()} == {
        "transfer": "transfer-0",
        "probe": "transfer-1",
    }
    study, labels = spec(label_fractions=[0.5], forgetting=True), np.arange(40) % 4
    assert not [*label_runs(study, labels, of_scratch), *label_runs(study, labels, others)]
    assert not depth_runs(study, TRIALS, of_scratch)
    assert len(depth_runs(study, TRIALS, others)) == 6


def spec(**refit: Any) -> StudySpec:
    tree = {"name": "x", "target": {"data": "d"}, "sources": [{"name": "a", "arch": "resnet18", "weights": "w"}]}
    return parse_spec({**tree, "refit": {"epochs": 30, **refit}, "train": {"batch_size": 64}})


def test_no_seed_of_a_refit_is_another_ones():
    study = spec(seeds=4, label_fractions=[0.5], label_seeds=3)
    labels = np.arange(40) % 4
    runs = list(label_runs(study, labels, candidates(TRIALS, SOURCES, 2, 0.03)))
    seeds = refit_seeds(study) + sorted({run.seed for run in runs})
    assert len(set(seeds)) == len(seeds) == 7


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5), st.integers(5, 60), st.integers(0, 2**32 - 1), st.floats(0.01, 0.9), st.floats(0.01, 0.9))
def test_fractions_are_nested_and_stratified(num_classes, num, seed, one, other):
    rng = np.random.default_rng(seed)
    labels, order = rng.integers(0, num_classes, num), rng.permutation(num)
    small, large = (nested_rows(labels, order, part) for part in sorted((one, other)))
    assert set(small) <= set(large)
    assert (np.diff(large) > 0).all()
    for label in np.unique(labels):
        whole, part = (labels == label).sum(), (labels[small] == label).sum()
        assert min(one, other) * whole - 1e-3 <= part < min(one, other) * whole + 1


def test_runs_with_fewer_labels_have_as_many_steps_and_pair_up():
    study = spec(label_fractions=[0.5, 0.1], label_seeds=2)
    labels = np.arange(640) % 4
    found = list(label_runs(study, labels, candidates(TRIALS, SOURCES, 2, 0.03)))
    assert [run.name for run in found][:4] == [
        "labels-transfer-0.1-0",
        "labels-scratch-0.1-0",
        "labels-transfer-0.5-0",
        "labels-scratch-0.5-0",
    ]
    assert len(found) == 8
    for transfer, scratch in zip(found[::2], found[1::2], strict=True):
        assert (transfer.rows == scratch.rows).all()
        assert (transfer.seed, transfer.epochs) == (scratch.seed, scratch.epochs)
        steps = transfer.epochs * num_steps(len(transfer.rows), 64)
        assert steps == pytest.approx(30 * num_steps(640, 64), rel=0.02)
    assert label_sizes(study, labels) == {0.1: len(found[0].rows), 0.5: len(found[2].rows)} == {0.1: 64, 0.5: 320}
    assert set(found[0].rows) != set(found[4].rows)


def test_names_of_refits():
    assert run_name(candidates(TRIALS, SOURCES, 1, 0.03)[0], 2) == "transfer-0-2"
