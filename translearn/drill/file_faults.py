"""The faults that files meet: damage, replacement, and storage that is full, read-only or away."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from translearn.drill.case import Case, DrillError
from translearn.drill.disk import Disk, can_mount
from translearn.drill.faults import Fault, Play, at, kill_driver, trapped
from translearn.drill.tiny import write_source
from translearn.drill.trap import Trap
from translearn.errors import EXIT_BAD_INPUT, EXIT_FAILED

_AWAY_S = 60.0
_SEARCH_EPOCH = Trap("epoch", "^search/.*/rank0/", "ask", 3)
_REFIT_EPOCH = Trap("epoch", "^refit/.*/2/rank0/", "ask", 2)
_HEAT = Trap("placed", r"/search/heats/.*\.json$", "ask", 2)
_BEFORE_EVALUATION = Trap("opened", r"/drill/\.mistakes\.parquet", "ask")
_SEARCHED = "disk/runs/*/search/[hs]*s/*.*"
_RAY, _TARGET, BAD = "disk/runs/*/refit/.ray/group", "disk/runs/*/data/target", EXIT_BAD_INPUT


def damaged(trap: Trap, pattern: str, damage: Callable[[Path], None]) -> Play:
    """The driver is killed, and files of the study that match are damaged before the command is given again."""

    def strike(case: Case, driver: subprocess.Popen[bytes], victim: int) -> None:
        kill_driver(case, driver, victim)
        for file in _found(case, pattern):
            damage(file)

    return at(trap, strike)


def flip(file: Path) -> None:
    """Changes a byte in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def cut(file: Path) -> None:
    """Cuts off the last third of a file."""
    content = file.read_bytes()
    file.write_bytes(content[: 2 * len(content) // 3])


def refused_until_mended(trap: Trap, pattern: str, damage: Callable[[Path], None], says: str, code: int) -> Play:
    """The driver is killed, and a file damaged: the command must refuse it, and train nothing, until it is back."""

    def play(case: Case, _: random.Random) -> None:
        driver = case.start(trap)
        case.until_sprung(driver)
        driver.kill()
        case.wait(driver)
        kept = {file: file.read_bytes() for file in _found(case, pattern)}
        for file in kept:
            damage(file)
        case.refused(code, says)
        if case.snare.epochs:
            raise DrillError("epochs were trained before the damage was told of")
        for file, content in kept.items():
            file.write_bytes(content)
        case.finish()

    return play


def replace_source(case: Case, driver: subprocess.Popen[bytes], victim: int) -> None:  # noqa: ARG001
    """Another model under the source's name."""
    _other_model(case.source)


def _other_model(file: Path) -> None:
    write_source(file, seed=2)


def second_driver(case: Case, driver: subprocess.Popen[bytes], victim: int) -> None:
    """Another command in the same study is refused; then the first one is killed."""
    case.refused(EXIT_FAILED, "must have one command at work at a time, but got one on")
    kill_driver(case, driver, victim)


def _found(case: Case, pattern: str) -> list[Path]:
    files = sorted(case.folder.glob(pattern))
    if not files:
        raise DrillError(f"there is no {pattern} to damage")
    return files


def spoiled(trap: Trap, spoil: Callable[[Case], Callable[[], None]]) -> Play:
    """The storage fails while the study runs: the command must end with an error, and go on when it is mended.

    Args:
        trap: When.
        spoil: Spoils the storage, and returns what mends it.
    """

    def play(case: Case, _: random.Random) -> None:
        driver = case.start(trap)
        case.until_sprung(driver)
        mend = spoil(case)
        case.snare.answer()
        try:
            code = case.wait(driver)
        finally:
            mend()
        before, error = case.output.partition("\nerror: ")[:2]  # afterwards TensorBoard's threads may complain too
        if code != EXIT_FAILED or not error or "Traceback" in before:
            raise DrillError(f"the command must end with {EXIT_FAILED} and one error, but it ended with {code}")
        case.finish()

    return play


def on_disk(trap: Trap, spoil: Callable[[Disk], None], mend: Callable[[Disk], None]) -> Play:
    """Likewise, on a disk of the study's own."""

    def spoil_disk(case: Case) -> Callable[[], None]:
        assert case.disk
        spoil(case.disk)
        return partial(mend, case.disk)

    def play(case: Case, draw: random.Random) -> None:
        case.mount()
        spoiled(trap, spoil_disk)(case, draw)

    return play


def away(case: Case) -> Callable[[], None]:
    """The folder that holds the storage has another name, for a minute."""
    disk, elsewhere, until = case.storage.parent, case.folder / "elsewhere", time.monotonic() + _AWAY_S
    disk.rename(elsewhere)

    def back() -> None:
        time.sleep(max(0.0, until - time.monotonic()))
        # What was written meanwhile is hidden by a storage that comes back to its place.
        shutil.rmtree(disk, ignore_errors=True)
        elsewhere.rename(disk)

    return back


def diverges(case: Case, draw: random.Random) -> None:
    """Learning rates at which training diverges; the driver is killed in between."""
    trapped(Trap("placed", r"/search/heats/.*\.json$", "die", 3))(case, draw)
    trials = pq.read_table(case.study / "trials.parquet").to_pylist()
    if not {"done", "failed"} <= {trial["status"] for trial in trials}:
        raise DrillError("some trials must diverge, and others not")


_DISKS = (
    Fault("disk-full", "in the search", on_disk(_SEARCH_EPOCH, Disk.fill, Disk.empty)),
    Fault("disk-full", "in a refit", on_disk(_REFIT_EPOCH, Disk.fill, Disk.empty), may_repeat=4),
    Fault("read-only", "in the search", on_disk(_SEARCH_EPOCH, Disk.forbid, Disk.allow)),
)
FILE_FAULTS = (
    Fault("storage-away", "for a minute of the search", spoiled(_SEARCH_EPOCH, away), may_repeat=4),
    Fault("nan", "trials diverge; the driver is killed", diverges, changes={"search__lr": [1e-3, 1e12]}),
    Fault(
        "out-of-memory",
        "whenever several trials are trained together",
        trapped(Trap("epoch", r"^search/.*/of[2-9]$", "die", 1, lasts=True)),
        changes={"search__trials": 8, "search__algorithm": "random", "search__epochs": 1},
        may_repeat=9,
    ),
    Fault(
        "corrupt",
        "states of trials, and a heat's rows",
        damaged(_HEAT, _SEARCHED, flip),
        may_repeat=3,
    ),
    Fault("corrupt", "checkpoint of a refit", damaged(_REFIT_EPOCH, f"{_RAY}/checkpoint_*/*", flip), may_repeat=2),
    Fault("corrupt", "list of a refit's checkpoints", damaged(_REFIT_EPOCH, f"{_RAY}/*.json", cut), may_repeat=2),
    Fault(
        "corrupt",
        "model of a refit",
        refused_until_mended(
            _BEFORE_EVALUATION, "disk/runs/*/refit/transfer-0-0/*.safetensors", flip, "must have the SHA-256", BAD
        ),
    ),
    Fault(
        "truncated-shard",
        "of the target's test split",
        refused_until_mended(_HEAT, f"{_TARGET}/test-00000.parquet", cut, "test-00000.parquet: must be a Parquet", BAD),
    ),
    Fault("source-replaced", "while the search runs", at(_HEAT, replace_source)),
    Fault(
        "source-replaced",
        "before the command is given again",
        refused_until_mended(_HEAT, "donor.safetensors", _other_model, "must keep the weights", BAD),
    ),
    Fault("two-drivers", "in the search", at(_SEARCH_EPOCH, second_driver)),
    *(_DISKS if can_mount() else ()),
)
