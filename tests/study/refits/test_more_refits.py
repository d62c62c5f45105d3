"""Runs on part of the labels and of freeze depths that diverge: what is shown of the others goes without them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_candidates import SOURCES, TRIALS, spec

from translearn.cluster.training.worker import FAILED
from translearn.storage.folder import Folder
from translearn.study.directory import TRIALS as TABLE
from translearn.study.evaluation import sections
from translearn.study.evaluation.forgotten import forgotten_by_depth
from translearn.study.evaluation.sections import labels_of
from translearn.study.refits.candidates import candidates
from translearn.study.refits.depth_runs import depth_runs
from translearn.study.refits.more_refits import more_left_out
from translearn.study.tables import TRIAL_SCHEMA, table

WHY = "train_loss is nan in epoch 2 at lr 3e+01, freeze depth 0. A lower learning rate or train.clip_norm helps."
LABELS = np.repeat(np.arange(4), 20)
FOUND = candidates(TRIALS, SOURCES, 2, 0.03)
ERRORS = {one.name: [0.2, 0.3, 0.4] for one in FOUND}


@pytest.fixture
def folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(sections, "run_error", lambda *_: 0.5)
    return Folder.open(tmp_path).make()


def diverge(folder: Folder, *runs: str) -> None:
    for run in runs:
        (folder / "refit" / run).write_json(FAILED, {"reason": WHY})


def curve(folder: Folder) -> list[int] | None:
    study = spec(label_fractions=(0.1, 0.5), label_seeds=2)
    found = labels_of(study, folder, LABELS, FOUND, ERRORS)
    return [row["num_labels"] for row in found["curves"]["scratch"]] if found else None


def test_a_number_of_labels_is_left_out_where_a_run_of_either_role_diverged(folder: Folder) -> None:
    assert curve(folder) == [8, 40, 80]
    diverge(folder, "labels-scratch-0.1-1")
    assert curve(folder) == [40, 80]
    diverge(folder, "labels-transfer-0.5-0")
    assert curve(folder) is None


def test_no_freeze_depth_is_shown_where_the_runs_of_all_diverged(folder: Folder) -> None:
    study = spec(forgetting=True)
    runs = depth_runs(study, TRIALS, FOUND)
    diverge(folder, *(run.name for run in runs))
    assert forgotten_by_depth(study, folder, SOURCES, runs, 10, resources=None) is None  # type: ignore[arg-type]


def test_the_reasons_are_kept_by_the_names_of_the_runs(folder: Folder) -> None:
    study = spec(label_fractions=(0.1,), forgetting=True)
    folder.write_table(TABLE, table(TRIALS, TRIAL_SCHEMA))
    diverge(folder, "labels-scratch-0.1-0", "depth-3", "another")
    splits = SimpleNamespace(train=SimpleNamespace(labels=LABELS))
    context: Any = SimpleNamespace(spec=study, folder=folder, splits=splits)
    assert more_left_out(context, FOUND) == {"labels-scratch-0.1-0": [WHY], "depth-3": [WHY]}
