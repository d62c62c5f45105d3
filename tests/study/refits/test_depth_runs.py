"""Which runs show what each freeze depth forgets."""

from __future__ import annotations

from test_candidates import SOURCES, TRIALS, spec, trial

from translearn.study.refits.candidates import candidates
from translearn.study.refits.depth_runs import depth_runs


def runs(trials, num=1, **refit):
    found = depth_runs(spec(forgetting=True, **refit), trials, candidates(trials, SOURCES, num, 0.03))
    return [(run.name, run.trial["trial_id"], run.trial["freeze_depth"], run.trial["lr"]) for run in found]


def test_none_unless_asked_for():
    assert depth_runs(spec(), TRIALS, candidates(TRIALS, SOURCES, 1, 0.03)) == []


def test_the_best_trial_at_each_depth_and_refits_are_not_repeated():
    assert runs(TRIALS) == [
        ("depth-0", "t0", 0, 0.01),
        ("depth-1", "", 1, 0.01),
        ("transfer-0-0", "t1", 2, 0.01),
        ("depth-3", "", 3, 0.01),
        ("depth-4", "", 4, 0.01),
        ("probe-0-0", "t4", 5, 0.1),
    ]


def test_a_depth_without_a_trial_has_the_settings_of_the_best_one():
    best = [trial("t1", "a", 0.1, depth=2, lr=0.03), *TRIALS[5:]]
    assert {lr for *_, lr in runs(best)} == {0.03}


def test_other_sources_and_failed_trials_do_not_count():
    others = [*TRIALS, trial("t9", "b", 0.12, depth=1), trial("t10", "a", None, depth=3, status="failed")]
    assert runs(others) == runs(TRIALS)
