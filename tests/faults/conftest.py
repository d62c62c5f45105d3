"""One simulated cluster for all faults, undisturbed studies to compare with, and the table at the end."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from faults import Fault, mount
from outcome import differences, files
from scene import Scene, scene, shared_memory
from tiny_study import FaultError, TinyStudy

_GRACE_S = 20.0
_HEAD = "| Fault | Points, in turn | Equal | Epochs lost | Commands | Seconds | Leftovers |\n|{}".format("---|" * 7)
_ROWS = pytest.StashKey[list[str]]()


@dataclass
class Outcome:
    """The outcome of a fault: its cost, and what is not as promised, a line each."""

    seconds: float = 0.0
    num_commands: int = 0
    num_lost: int = 0
    problems: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    def row(self, fault: Fault) -> str:
        """Return the outcome as a row of a Markdown table."""
        points, equal = "; ".join(blow.point for blow in fault.blows), "NO" if self.problems else "yes"
        figures = self.num_lost, self.num_commands, f"{self.seconds:.0f}", len(self.leftovers)
        return f"| {' | '.join(map(str, (fault.name, points, equal, *figures)))} |"


@pytest.fixture(scope="session")
def the_scene() -> Iterator[Scene]:
    with scene() as found:
        yield found


@pytest.fixture(scope="session")
def undisturbed(the_scene: Scene) -> Callable[[bool], TinyStudy]:
    """Return what gives the study that no fault met, the whole or the small one; each runs once."""
    kept: dict[bool, TinyStudy] = {}

    def study(whole: bool) -> TinyStudy:
        if whole not in kept:
            kept[whole] = TinyStudy(the_scene, the_scene.folder / f"undisturbed-{whole}", whole)
            kept[whole].finish()
            assert kept[whole].num_commands == 1, kept[whole].output
        return kept[whole]

    return study


@pytest.fixture
def meet(the_scene: Scene, undisturbed: Callable, request: pytest.FixtureRequest) -> Iterator[Callable]:
    """Return what lets a study meet a fault, and compares it with the undisturbed one."""
    studies: list[TinyStudy] = []

    def met(fault: Fault) -> Outcome:
        reference = undisturbed(fault.whole)
        before = _left(reference)
        studies.append(study := TinyStudy(the_scene, the_scene.folder / fault.name, fault.whole))
        if fault.own_disk:
            try:
                mount(study)
            except (OSError, subprocess.CalledProcessError):
                pytest.skip("needs the right to mount disks")
        outcome = _outcome(fault, study, reference)
        deadline = time.monotonic() + _GRACE_S  # Ray ends what a driver leaves a little later
        while (found := _left(study) - before) and time.monotonic() < deadline:
            time.sleep(0.5)
        outcome.leftovers = sorted(found)
        request.config.stash.setdefault(_ROWS, []).append(outcome.row(fault))
        return outcome

    yield met
    for study in studies:
        study.remove()
        the_scene.cluster("mend")


def _outcome(fault: Fault, study: TinyStudy, reference: TinyStudy) -> Outcome:
    outcome, began = Outcome(), time.monotonic()
    try:
        for blow in fault.blows:
            study.reach(blow.pattern, blow.number)
            blow.strike(study)
        study.finish()
        outcome.problems = differences(reference.directory, study.directory)
    except FaultError as error:
        outcome.problems = [str(error)]
    lost = study.lost()
    too_many = [one for one in lost if max(one.values(), default=0) > fault.may_repeat]
    outcome.problems += [f"epochs trained again: {dict(one)}" for one in too_many]
    outcome.seconds, outcome.num_lost = time.monotonic() - began, sum(one.total() for one in lost)
    outcome.num_commands = study.num_commands
    return outcome


def _left(study: TinyStudy) -> set[str]:
    """Actors, placement groups, processes, files of the study, temporary files, and shared memory that nobody has."""
    found = [*study.scene.leftovers(), *files(study.home), *files(study.scene.folder / "t"), *shared_memory()]
    return set(found)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    if rows := config.stash.get(_ROWS, []):
        terminalreporter.write_line("\n".join(["", _HEAD, *rows]))
