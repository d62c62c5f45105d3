"""The faults: at which points of a study they strike, and what they do. Points are seen in the study's directory."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import disk
from tiny_study import FaultError, TinyStudy

Strike = Callable[[TinyStudy], None]
_PATIENCE_S, _LOOK_S = 60.0, 0.005


@dataclass(frozen=True)
class Blow:
    """A fault at a point: ``strike`` is called when ``number`` files have matched ``pattern`` (``TinyStudy.reach``)."""

    point: str
    pattern: str
    strike: Strike
    number: int = 1


@dataclass(frozen=True)
class Fault:
    """Blows that one study takes in turn.

    Attributes:
        name: Of the test.
        blows: Each begins or goes on with the study's command.
        may_repeat: How many epochs that had ended a trial or refit may lose by a blow.
        own_disk: Whether the storage needs a disk of its own.
        short: Whether the study is the short one.
    """

    name: str
    blows: tuple[Blow, ...]
    may_repeat: int = 1
    own_disk: bool = False
    short: bool = False


def _kill(title: str, times: int = 1) -> Strike:
    """Kill a process of a title, so many times: each time the one that took the place of the last."""

    def strike(study: TinyStudy) -> None:
        killed: set[int] = set()
        for _ in range(times):
            killed.add(pid := _process(study, title, killed))
            os.kill(pid, signal.SIGKILL)

    return strike


def _kill_node(title: str) -> Strike:
    """Kill the node of a process of a title; then another node joins."""

    def strike(study: TinyStudy) -> None:
        study.scene.cluster("kill_node_of", _process(study, title, set()))
        study.scene.cluster("mend")

    return strike


def _process(study: TinyStudy, title: str, known: set[int]) -> int:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if new := set(study.scene.processes(title)) - known:
            return min(new)
        time.sleep(_LOOK_S)
    raise FaultError(f"no process {title!r} to kill")


def _kill_driver(study: TinyStudy) -> None:
    study.kill()


def _kill_head(study: TinyStudy) -> None:
    """Kill the whole cluster, and start another when the command has noticed."""
    study.scene.cluster("kill_head")
    study.wait()
    study.scene.cluster("mend")


def _away(study: TinyStudy) -> None:
    """Rename the folder that holds the storage until the command has failed. What was written meanwhile is hidden."""
    elsewhere = study.home.with_name("elsewhere")
    study.home.rename(elsewhere)
    try:
        study.fail("is not there any more")
    finally:
        shutil.rmtree(study.home, ignore_errors=True)
        elsewhere.rename(study.home)


def _broken(spoil: Callable[[Path], None], mend: Callable[[Path], None]) -> Strike:
    """Spoil the disk until the command has failed."""

    def strike(study: TinyStudy) -> None:
        spoil(study.home)
        try:
            study.fail("cannot be written")
        finally:
            mend(study.home)

    return strike


def _damaged(pattern: str, damage: Callable[[Path], None]) -> Strike:
    """Kill the command, and damage files that it goes on from."""

    def strike(study: TinyStudy) -> None:
        study.kill()
        for file in _files(study, pattern):
            damage(file)

    return strike


def _refused(pattern: str, damage: Callable[[Path], None], text: str, *, delete: bool = False) -> Strike:
    """Kill the command, and damage files: the next one must refuse them, and train nothing, until they are mended."""

    def strike(study: TinyStudy) -> None:
        study.kill()
        kept, trained = {file: file.read_bytes() for file in _files(study, pattern)}, study.num_epochs()
        for file in kept:
            damage(file)
        study.fail(text)
        if study.num_epochs() > trained:
            raise FaultError("epochs were trained before the damage was told")
        for file, content in kept.items():
            file.unlink()
            if not delete:
                file.write_bytes(content)

    return strike


def _files(study: TinyStudy, pattern: str) -> list[Path]:
    if found := sorted(file for file in study.directory.glob(pattern) if file.is_file()):
        return found
    raise FaultError(f"no {pattern} to damage")


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def _cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: 2 * len(content) // 3])


_TRIAL, _WORKER = "ray::FineTune", "ray::RayTrainWorker"
_IN_SEARCH, _IN_REFIT = "search/*/checkpoint_*", "refit/.ray/**/checkpoint_*"
_IN_PRETRAINING, _REFITTED = "sources/.ray/**/checkpoint_*", "refit/*/model.json"

SHORT = Fault(
    "several",
    (
        Blow("a trial's actor", _IN_SEARCH, _kill(_TRIAL)),
        Blow("the driver after the search", "trials.parquet", _kill_driver),
        Blow("a refit's worker", _IN_REFIT, _kill(_WORKER)),
    ),
    short=True,
)
FAULTS = (
    Fault(
        "worker",
        (
            Blow("a worker of pre-training", _IN_PRETRAINING, _kill(_WORKER)),
            Blow("a trial's actor", _IN_SEARCH, _kill(_TRIAL), 2),
            Blow("a trial's actor again", _IN_SEARCH, _kill(_TRIAL), 3),
            Blow("a refit's worker", _IN_REFIT, _kill(_WORKER)),
            Blow("a refit's worker as a model is written", _REFITTED, _kill(_WORKER)),
        ),
    ),
    Fault(
        "node",
        (
            Blow("of a trial", _IN_SEARCH, _kill_node(_TRIAL), 2),
            Blow("of a refit's worker", _IN_REFIT, _kill_node(_WORKER), 2),
        ),
    ),
    Fault(
        "driver",
        (
            Blow("ingest", "data/target/*.parquet", _kill_driver),
            Blow("pre-training", _IN_PRETRAINING, _kill_driver),
            Blow("ranking", "sources.parquet", _kill_driver),
            Blow("search", _IN_SEARCH, _kill_driver, 3),
            Blow("after the search", "trials.parquet", _kill_driver),
            Blow("refit", _IN_REFIT, _kill_driver, 2),
            Blow("after the refits", _REFITTED, _kill_driver, 4),
            Blow("evaluation", "test_reads.json", _kill_driver),
            Blow("report", "evaluation.json", _kill_driver),
        ),
    ),
    Fault("head", (Blow("search", _IN_SEARCH, _kill_head, 3), Blow("refit", _IN_REFIT, _kill_head, 2))),
    Fault("out-of-memory", (Blow("of a refit's worker, four times", _IN_REFIT, _kill(_WORKER, 4)),)),
    Fault("storage-away", (Blow("search", _IN_SEARCH, _away),), may_repeat=3),
    Fault("disk-full", (Blow("search", _IN_SEARCH, _broken(disk.fill, disk.empty)),), may_repeat=3, own_disk=True),
    Fault("read-only", (Blow("refit", _IN_REFIT, _broken(disk.forbid, disk.allow)),), may_repeat=3, own_disk=True),
    Fault(
        "damage",
        (
            Blow("a trial's checkpoint", _IN_SEARCH, _damaged("search/*/checkpoint_*/*", _flip)),
            Blow("the experiment's state", _IN_SEARCH, _damaged("search/*.*", _cut)),
            Blow("a refit's checkpoint", _IN_REFIT, _damaged("refit/.ray/**/checkpoint_*/*", _flip)),
            Blow("Ray Train's state", _IN_REFIT, _damaged("refit/.ray/**/*.json", _cut)),
        ),
        may_repeat=3,
    ),
    Fault(
        "refused",
        (
            Blow(
                "a shard",
                "sources.parquet",
                _refused("data/target/test-*.parquet", _cut, "must be a Parquet"),
            ),
            Blow(
                "the table of trials",
                _IN_REFIT,
                _refused("trials.parquet", _cut, "Delete it to have it made again", delete=True),
            ),
            Blow("a refit's model", _REFITTED, _refused("refit/transfer-*/*.safetensors", _flip, "SHA-256")),
        ),
    ),
)
