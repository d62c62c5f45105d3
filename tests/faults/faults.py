"""The faults: at which points of a study they strike, and what they do. Points are seen in the study's directory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tiny_study import FaultError, TinyStudy

Strike = Callable[[TinyStudy], None]
_PATIENCE_S, _LOOK_S = 60.0, 0.005


@dataclass(frozen=True)
class Blow:
    """A fault at a point: ``strike`` is called when ``number`` files have matched ``pattern``."""

    point: str
    pattern: str
    strike: Strike
    number: int = 1


@dataclass(frozen=True)
class Fault:
    """Blows that one study takes in turn.

    Attributes:
        name: The name of the test.
        blows: Each begins the study's command, or goes on with it.
        may_repeat: How many epochs that had ended a trial or refit may lose by a blow.
        own_disk: Whether the storage is a disk of its own.
        whole: Whether the study has all steps.
    """

    name: str
    blows: tuple[Blow, ...]
    may_repeat: int = 1
    own_disk: bool = False
    whole: bool = False


def mount(study: TinyStudy) -> None:
    """Give a study's storage a disk of its own, in memory. Raises OSError or CalledProcessError where it may not."""
    _run("mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", str(study.home))


def _kill(title: str) -> Strike:
    """Kill a process of a title."""
    return lambda study: os.kill(min(_processes(study, title)), signal.SIGKILL)


def _run_out_of_memory(study: TinyStudy) -> None:
    """Kill the workers of refits whenever there are any, until Ray Train gives up."""
    known: set[int] = set()
    while study.is_at_work():
        new = set(study.scene.processes(_WORKER)) - known
        known |= new
        for pid in new:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK_S)
    study.fail("new starts")


def _kill_node(title: str) -> Strike:
    """Kill the node of a process of a title; then another node joins."""

    def strike(study: TinyStudy) -> None:
        study.scene.cluster("kill_node_of", min(_processes(study, title)))
        study.scene.cluster("mend")

    return strike


def _processes(study: TinyStudy, title: str) -> list[int]:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if found := study.scene.processes(title):
            return found
        time.sleep(_LOOK_S)
    raise FaultError(f"there must be a process {title!r} to kill")


def _kill_head(study: TinyStudy) -> None:
    """Kill the whole cluster, and start another when the command has noticed."""
    study.scene.cluster("kill_head")
    study.wait()
    study.scene.cluster("mend")


def _storage(spoil: Callable[[Path], None], mend: Callable[[Path], None], text: str) -> Strike:
    """Spoil the storage until the command has failed with an error that says so."""

    def strike(study: TinyStudy) -> None:
        spoil(study.home)
        try:
            study.fail(text)
        finally:
            mend(study.home)

    return strike


def _take_away(home: Path) -> None:
    home.rename(home.with_name("elsewhere"))


def _bring_back(home: Path) -> None:
    """A storage that comes back to its place hides what was written there meanwhile."""
    shutil.rmtree(home, ignore_errors=True)
    home.with_name("elsewhere").rename(home)


def _fill(home: Path) -> None:
    with suppress(OSError), (home / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(2**20)):
            pass


def _empty(home: Path) -> None:
    (home / "filler").unlink()


def _forbid(home: Path) -> None:
    """A disk in use cannot be made read-only, but a mount over it can."""
    _run("mount", "--bind", str(home), str(home))
    _run("mount", "-o", "remount,bind,ro", str(home))


def _allow(home: Path) -> None:
    _run("umount", "--lazy", str(home))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _damaged(pattern: str, damage: Callable[[Path], None]) -> Strike:
    """Kill the command, and damage files that the next one would go on from."""

    def strike(study: TinyStudy) -> None:
        study.kill()
        study.settle()
        for file in _files(study, pattern):
            damage(file)

    return strike


def _refused(pattern: str, damage: Callable[[Path], None], text: str, *, delete: bool = False) -> Strike:
    """Kill the command, and damage files: the next one must refuse them, and train nothing, until they are mended."""

    def strike(study: TinyStudy) -> None:
        study.kill()
        study.settle()
        kept, trained = {file: file.read_bytes() for file in _files(study, pattern)}, len(study.epochs())
        for file in kept:
            damage(file)
        study.fail(text)
        if len(study.epochs()) > trained:
            raise FaultError("the damage must be told before anything is trained")
        for file, content in kept.items():
            file.unlink() if delete else file.write_bytes(content)

    return strike


def _files(study: TinyStudy, pattern: str) -> list[Path]:
    if found := sorted(file for file in study.directory.glob(pattern) if file.is_file()):
        return found
    raise FaultError(f"there must be {pattern} to damage")


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def _cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: 2 * len(content) // 3])


_TRIAL, _WORKER = "ray::FineTune", "ray::RayTrainWorker"
_IN_PRETRAINING, _IN_SEARCH = "sources/.ray/**/checkpoint_*", "search/*/checkpoint_*"
_IN_REFIT, _REFITTED = "refit/.ray/**/checkpoint_*", "refit/*/model.json"
_KILL = TinyStudy.kill
_AWAY = _storage(_take_away, _bring_back, "is not there any more")
_FULL, _READ_ONLY = _storage(_fill, _empty, "cannot be written"), _storage(_forbid, _allow, "cannot be written")
_SHARD = _refused("data/target/test-*.parquet", _cut, "must be a Parquet")
_TABLE = _refused("trials.parquet", _cut, "Delete it to have it made again", delete=True)
_MODEL = _refused("refit/transfer-*/*.safetensors", _flip, "SHA-256")

SHORT = Fault(
    "several",
    (
        Blow("a trial's actor", _IN_SEARCH, _kill(_TRIAL)),
        Blow("the driver after the search", "trials.parquet", _KILL),
        Blow("a refit's worker", _IN_REFIT, _kill(_WORKER)),
    ),
)
WORKER = (
    Blow("pre-training", _IN_PRETRAINING, _kill(_WORKER)),
    Blow("a trial", _IN_SEARCH, _kill(_TRIAL), 2),
    Blow("a refit", _IN_REFIT, _kill(_WORKER)),
    Blow("a refit whose model is written", _REFITTED, _kill(_WORKER)),
)
NODE = Blow("a trial", _IN_SEARCH, _kill_node(_TRIAL), 2), Blow("a refit", _IN_REFIT, _kill_node(_WORKER), 2)
DRIVER = (
    Blow("ingest", "data/target/*.parquet", _KILL),
    Blow("pre-training", _IN_PRETRAINING, _KILL),
    Blow("ranking", "sources.parquet", _KILL),
    Blow("search", _IN_SEARCH, _KILL, 3),
    Blow("after the search", "trials.parquet", _KILL),
    Blow("refit", _IN_REFIT, _KILL, 2),
    Blow("after the refits", _REFITTED, _KILL, 4),
    Blow("evaluation", "test_reads.json", _KILL),
    Blow("report", "evaluation.json", _KILL),
)
DAMAGE = (
    Blow("a trial's checkpoint", _IN_SEARCH, _damaged("search/*/checkpoint_*/*", _flip)),
    Blow("the experiment's state", _IN_SEARCH, _damaged("search/*.*", _cut)),
    Blow("a refit's checkpoint", _IN_REFIT, _damaged("refit/.ray/**/checkpoint_*/*", _flip)),
    Blow("Ray Train's state", _IN_REFIT, _damaged("refit/.ray/**/*.json", _cut)),
)
REFUSED = (
    Blow("a shard", "sources.parquet", _SHARD),
    Blow("the table of trials", _IN_REFIT, _TABLE),
    Blow("a refit's model", _REFITTED, _MODEL),
)
FAULTS = (
    Fault("worker", WORKER, whole=True),
    Fault("node", NODE),
    Fault("driver", DRIVER, whole=True),
    Fault("head", (Blow("search", _IN_SEARCH, _kill_head, 3), Blow("refit", _IN_REFIT, _kill_head, 2))),
    Fault("out-of-memory", (Blow("the refits' workers, always", _IN_REFIT, _run_out_of_memory),)),
    # Tune tries a trial three times more, at once, and then the next command does.
    Fault("storage-away", (Blow("search", _IN_SEARCH, _AWAY),), may_repeat=5),
    Fault("disk-full", (Blow("search", _IN_SEARCH, _FULL),), may_repeat=5, own_disk=True),
    Fault("read-only", (Blow("refit", _IN_REFIT, _READ_ONLY),), may_repeat=3, own_disk=True),
    Fault("damage", DAMAGE, may_repeat=3),
    Fault("refused", REFUSED),
)
