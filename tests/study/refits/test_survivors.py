"""A refit that diverges takes its candidate out of the study, and the study goes on with those that are left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from translearn.cluster.training.worker import FAILED
from translearn.config import StudySpec, parse_spec
from translearn.errors import TranslearnError
from translearn.evaluation.predictions import PROBE, SCRATCH, TRANSFER
from translearn.storage.folder import Folder
from translearn.study.refits.candidates import Candidate
from translearn.study.refits.refit import REFIT
from translearn.study.refits.survivors import pairs, survivors

WHY = "train_loss is nan in epoch 2 at lr 3e+01, freeze depth 0. A lower learning rate or train.clip_norm helps."


def candidate(name: str, *roles: str, arch: str = "resnet18") -> Candidate:
    return Candidate(name, roles, {"arch": arch, "source": "a"})


FOUND = [
    candidate("transfer-0", TRANSFER),
    candidate("transfer-1", TRANSFER, PROBE, arch="resnet34"),
    candidate("scratch-0", SCRATCH),
    candidate("scratch-1", SCRATCH, arch="resnet34"),
    candidate("probe-0", PROBE),
]


@pytest.fixture
def spec(tmp_path: Path) -> StudySpec:
    source: dict[str, Any] = {"name": "a", "arch": "resnet18", "weights": "DEFAULT"}
    target = {"data": "sklearn:digits"}
    return parse_spec(
        {"name": "pets", "storage": str(tmp_path), "target": target, "sources": [source], "refit": {"seeds": 2}}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.open(tmp_path / "pets")


def diverge(folder: Folder, *runs: str) -> None:
    for run in runs:
        (folder / REFIT / run).write_json(FAILED, {"reason": WHY})


def names(left: list[Candidate]) -> list[str]:
    return [one.name for one in left]


def test_where_nothing_diverged_all_are_left(spec: StudySpec, folder: Folder) -> None:
    assert pairs(spec, folder, FOUND) == survivors(spec, folder, FOUND) == FOUND


def test_one_seed_is_enough_to_be_left_out_and_why_is_said(
    spec: StudySpec, folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    diverge(folder, "transfer-0-1", "transfer-0-2")  # there is no third seed: of an earlier study, say
    assert names(survivors(spec, folder, FOUND)) == ["transfer-1", "scratch-0", "scratch-1", "probe-0"]
    assert capsys.readouterr().out == f"transfer-0 is left out: refit transfer-0-1: {WHY}\n"


def test_an_architecture_without_its_pair_is_left_out_whole(spec: StudySpec, folder: Folder) -> None:
    diverge(folder, "scratch-0-0")
    assert names(pairs(spec, folder, FOUND)) == ["transfer-1", "scratch-1"]


@pytest.mark.parametrize(
    ("runs", "left"),
    [
        (("scratch-0-0", "scratch-1-1"), {"transfer-0": "transfer", "transfer-1": "transfer", "probe-0": "probe"}),
        (("transfer-0-0", "scratch-1-0"), {"transfer-1": "transfer"}),  # of resnet34, and scratch-0 is of resnet18
        (
            ("transfer-0-0", "transfer-1-0", "scratch-0-0", "scratch-1-0"),
            {"probe-0": "transfer"},
        ),
        (("transfer-0-0", "transfer-1-0"), {"scratch-0": "scratch", "probe-0": "transfer"}),
        (("transfer-0-0", "transfer-1-0", "probe-0-1"), {"scratch-0": "scratch", "scratch-1": "scratch"}),
    ],
)
def test_without_a_pair_one_role_is_left_and_a_probe_stands_for_transfer(
    spec: StudySpec, folder: Folder, runs: tuple[str, ...], left: dict[str, str]
) -> None:
    diverge(folder, *runs)
    assert {one.name: one.roles[0] for one in pairs(spec, folder, FOUND)} == left


def test_no_candidate_at_all_is_an_error_with_a_way_out(spec: StudySpec, folder: Folder) -> None:
    diverge(folder, *(f"{one.name}-0" for one in FOUND))
    with pytest.raises(TranslearnError) as error:
        pairs(spec, folder, FOUND)
    assert str(error.value) == (
        "refit: every candidate diverged. "
        "Start a study with a lower range of search.lr, with train.clip_norm, or with more refit.candidates."
    )
