"""Steps in which files of a study are damaged or replaced, or its storage fails."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from translearn.drill.case import Case, DrillError
from translearn.drill.disk import Disk
from translearn.drill.steps import Hit, Step, command, kill_driver
from translearn.drill.tiny import write_source
from translearn.drill.trap import Trap
from translearn.errors import EXIT_BAD_INPUT, EXIT_FAILED

_AWAY_S, _GONE_S, _LOOK_S = 60.0, 60.0, 0.2


def killed(trap: Trap) -> Step:
    """The driver is killed, so that there is something to go on from."""
    return command(Hit("", trap, kill_driver))


def damaged(point: str, trap: Trap, pattern: str, damage: Callable[[Path], None]) -> Step:
    """The driver is killed, and files of the study that match are damaged before the command is given again."""

    def strike(case: Case, driver: subprocess.Popen[bytes], victim: int) -> None:
        kill_driver(case, driver, victim)
        _until_gone(case)  # who is still there would write good files over damaged ones
        for file in _found(case, pattern):
            damage(file)

    return command(Hit(point, trap, strike))


def flip(file: Path) -> None:
    """Changes a byte in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def cut(file: Path) -> None:
    """Cuts off the last third of a file."""
    content = file.read_bytes()
    file.write_bytes(content[: 2 * len(content) // 3])


def replace_source(file: Path) -> None:
    """Another model under the source's name."""
    write_source(file, seed=2)


def refused_until_mended(point: str, pattern: str, damage: Callable[[Path], None], says: str) -> Step:
    """Files are damaged: the command must refuse them, and train nothing, until they are back."""

    def act(case: Case, _: random.Random) -> None:
        kept = {file: file.read_bytes() for file in _found(case, pattern)}
        for file in kept:
            damage(file)
        refused(case, EXIT_BAD_INPUT, says)
        for file, content in kept.items():
            file.write_bytes(content)

    return Step(point, act)


def refused(case: Case, code: int, says: str) -> None:
    """The command must fail with this exit code and text before anything is trained. Raises DrillError else."""
    case.refused(code, says)
    if case.snare.told:
        raise DrillError("epochs were trained before the damage was told of")


def while_it_runs(point: str, trap: Trap, pattern: str, damage: Callable[[Path], None]) -> Hit:
    """Files are damaged, and the command goes on."""

    def strike(case: Case, driver: subprocess.Popen[bytes], victim: int) -> None:  # noqa: ARG001
        for file in _found(case, pattern):
            damage(file)

    return Hit(point, trap, strike)


def second_driver(case: Case, driver: subprocess.Popen[bytes], victim: int) -> None:
    """Another command in the same study is refused; then the first one is killed."""
    refused(case, EXIT_FAILED, "must have one command at work at a time, but got one on")
    kill_driver(case, driver, victim)


def spoiled(point: str, trap: Trap, spoil: Callable[[Case], Callable[[], None]]) -> Step:
    """The storage fails while the study runs: the command must end with an error, and go on when it is mended.

    Args:
        point: When.
        trap: Likewise.
        spoil: Spoils the storage, and returns what mends it.
    """

    def act(case: Case, _: random.Random) -> None:
        driver, snare = case.start(trap), case.snare
        case.sprung(driver, {0})
        mend = spoil(case)
        snare.answer()
        try:
            code = case.wait(driver)
        finally:
            mend()
        before, error = case.output.partition("\nerror: ")[:2]  # afterwards TensorBoard's threads may complain too
        if code != EXIT_FAILED or not error or "Traceback" in before:
            raise DrillError(f"the command must end with {EXIT_FAILED} and one error, but it ended with {code}")

    return Step(point, act)


def spoiled_disk(point: str, trap: Trap, spoil: Callable[[Disk], None], mend: Callable[[Disk], None]) -> Step:
    """Likewise, on a disk of the study's own."""

    def spoil_disk(case: Case) -> Callable[[], None]:
        assert case.disk
        spoil(case.disk)
        return partial(mend, case.disk)

    return spoiled(point, trap, spoil_disk)


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


def _until_gone(case: Case) -> None:
    deadline = time.monotonic() + _GONE_S
    while case.cluster.leftovers():
        if time.monotonic() > deadline:
            raise DrillError("the actors of a driver that was killed must end")
        time.sleep(_LOOK_S)


def _found(case: Case, pattern: str) -> list[Path]:
    files = sorted(case.folder.glob(pattern))
    if not files:
        raise DrillError(f"there is no {pattern} to damage")
    return files
