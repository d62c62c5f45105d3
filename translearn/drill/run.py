"""Runs the drill: the undisturbed study, then fault after fault; what each cost and left."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from translearn.cluster.console import say
from translearn.cluster.simulated import SimulatedCluster
from translearn.drill.case import Case, DrillError
from translearn.drill.compare import differences
from translearn.drill.faults import PROCESS_FAULTS, Fault
from translearn.drill.file_faults import FILE_FAULTS
from translearn.drill.leftovers import files, shared_memory, stray_files, stray_memory, stray_processes
from translearn.errors import InputError
from translearn.errors import fault as fault_line

FAULTS = (*PROCESS_FAULTS, *FILE_FAULTS)
_GRACE_S, _TEMPORARY = 20.0, "t"


@dataclass(frozen=True)
class Outcome:
    """What became of a fault.

    Attributes:
        name: The fault's.
        point: Where it struck.
        lost_epochs: Epochs that had been trained, and had to be trained again, over all trials.
        equal: Whether tables, figures and weights are those of the undisturbed run, bit for bit.
        orphans: What was left behind, a line each.
        seconds: From the first command to the study's end.
        num_commands: How often the study's command was given.
        problems: What is not as promised, a line each.
    """

    name: str
    point: str
    lost_epochs: int
    equal: bool
    orphans: tuple[str, ...]
    seconds: float
    num_commands: int
    problems: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost or left."""
        return self.equal and not self.orphans and not self.problems


def drill(faults: Sequence[Fault], seed: int, num_nodes: int = 3) -> list[Outcome]:
    """Plays the faults, one after the other, each on a study of its own.

    Args:
        faults: Which.
        seed: Random points are drawn from it.
        num_nodes: Of the simulated cluster.
    """
    with _scene(num_nodes) as (folder, cluster):
        references: dict[str, Case] = {}
        outcomes = []
        for number, fault in enumerate(faults):
            key = repr(fault.changes)
            if key not in references:
                references[key] = _undisturbed(folder / f"reference-{len(references)}", cluster, fault)
            case = Case(folder / f"case-{number}", cluster, fault.changes)
            outcomes.append(_played(fault, case, references[key], random.Random(f"{seed} {fault.name} {fault.point}")))
            say(line(outcomes[-1]))
            case.remove()
        return outcomes


def line(outcome: Outcome) -> str:
    """An outcome for people."""
    verdict = "equal" if outcome.equal else "NOT EQUAL"
    first = (
        f"{outcome.name:14s} {outcome.point:44s} {verdict:9s}  {outcome.lost_epochs} epochs lost, "
        f"{len(outcome.orphans)} orphans, {outcome.num_commands} commands, {outcome.seconds:.0f} s"
    )
    return "\n".join([first, *(f"    {text}" for text in (*outcome.problems, *outcome.orphans))])


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All outcomes as JSON; ``orphans`` is how many there are, and ``left`` what they are."""
    return {"faults": [{**asdict(one), "orphans": len(one.orphans), "left": one.orphans} for one in outcomes]}


def chosen(only: str | None, short: bool) -> list[Fault]:
    """The faults that a command line asks for: all, or those of a name, or the short set.

    Raises:
        InputError: There is no such name.
    """
    names = list(dict.fromkeys(fault.name for fault in FAULTS))
    if only not in (None, *names):
        raise InputError(fault_line("--only", f"must be one of {', '.join(names)}", repr(only), ""))
    return [fault for fault in FAULTS if only in (None, fault.name) and (fault.is_short or not short)]


@contextmanager
def _scene(num_nodes: int) -> Iterator[tuple[Path, SimulatedCluster]]:
    """A folder that is deleted, and a cluster that ends; temporary files of all processes go into the folder."""
    folder = Path(tempfile.mkdtemp(prefix="d-"))
    (folder / _TEMPORARY).mkdir()
    (folder / "r" / "ray").mkdir(parents=True)
    before = dict(os.environ)
    os.environ |= {"TMPDIR": str(folder / _TEMPORARY), "RAY_TMPDIR": str(folder / "r"), "OMP_NUM_THREADS": "1"}
    try:
        cluster = SimulatedCluster(folder / "r" / "ray", num_nodes)
        try:
            yield folder, cluster
        finally:
            cluster.end()
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)


def _undisturbed(folder: Path, cluster: SimulatedCluster, fault: Fault) -> Case:
    started = time.monotonic()
    case = Case(folder, cluster, fault.changes)
    case.wait(case.start())
    if not case.is_done:
        raise DrillError(f"the undisturbed study failed:\n{case.output[-4000:]}")
    case.temporary = files(folder.parent / _TEMPORARY)
    say(f"undisturbed: {len(case.snare.epochs)} epochs, {time.monotonic() - started:.0f} s")
    return case


def _played(fault: Fault, case: Case, reference: Case, draw: random.Random) -> Outcome:
    memory, started = shared_memory(), time.monotonic()
    problems: list[str] = []
    try:
        fault.play(case, draw)
        problems += differences(reference.study, case.study)
    except DrillError as error:
        problems += [str(error), *case.output.strip().splitlines()[-12:]]
    seconds = time.monotonic() - started
    case.stop()
    case.cluster.mend()
    equal, repeated = not problems, case.repeated()
    if max(repeated.values(), default=0) > fault.may_repeat:
        problems.append(f"epochs trained again: {dict(repeated)}")
    orphans = _orphans(case, reference, memory)
    figures = repeated.total(), equal, tuple(orphans), round(seconds, 1), case.num_attempts
    return Outcome(fault.name, fault.point, *figures, tuple(problems))


def _orphans(case: Case, reference: Case, memory: set[str]) -> list[str]:
    """What is still there some seconds after the study's end: Ray ends what a driver leaves a little later."""
    deadline = time.monotonic() + _GRACE_S
    while True:
        found = [
            *case.cluster.leftovers(),
            *stray_processes(case.folder.parent),
            *stray_files(case.storage, files(reference.storage)),
            *stray_files(case.folder.parent / _TEMPORARY, reference.temporary),
            *stray_memory(memory),
        ]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.5)
