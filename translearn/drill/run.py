"""Runs the drill: the undisturbed study, then fault after fault; what each cost and left."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from translearn.cluster.simulated import SimulatedCluster
from translearn.cluster.tracking.console import say
from translearn.drill.case import Case, DrillError
from translearn.drill.compare import differences
from translearn.drill.disk import can_mount
from translearn.drill.faults import PROCESS_FAULTS
from translearn.drill.file_faults import FILE_FAULTS
from translearn.drill.leftovers import files, shared_memory, stray_files, stray_memory, stray_processes
from translearn.drill.steps import Fault
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
        seconds: From its first command to the study's end, or to the turn of the next fault on the same study.
        num_commands: How often the study's command was given meanwhile.
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
    """Plays the faults, one after the other, each on a study of its own, or on that of the one before it.

    Args:
        faults: Which.
        seed: Random points are drawn from it.
        num_nodes: Of the simulated cluster.
    """
    started = time.monotonic()
    with _scene(num_nodes) as (folder, cluster):
        references: dict[str, Case] = {}
        outcomes: list[Outcome] = []
        while waiting := faults[len(outcomes) :]:
            group = _group(waiting)
            with _case(folder / f"case-{len(outcomes)}", cluster, group[0]) as case:
                found = _outcomes(group, case, references, seed)
            say("\n".join(map(line, found)))
            outcomes += found
            if not all(one.is_good for one in found):
                cluster.renew()  # what is left must not spoil the next one
        say(f"{len(outcomes)} faults, {time.monotonic() - started:.0f} s")
        return outcomes


def line(outcome: Outcome) -> str:
    """An outcome for people."""
    verdict = "equal" if outcome.equal else "NOT EQUAL"
    first = (
        f"{outcome.name:15s} {verdict:9s}  {outcome.lost_epochs} epochs lost, {len(outcome.orphans)} orphans, "
        f"{outcome.num_commands} commands, {outcome.seconds:.0f} s: {outcome.point}"
    )
    return "\n".join([first, *(f"    {text}" for text in (*outcome.problems, *outcome.orphans))])


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All outcomes as JSON; ``orphans`` is how many there are, and ``left`` what they are."""
    return {"faults": [{**asdict(one), "orphans": len(one.orphans), "left": one.orphans} for one in outcomes]}


def chosen(only: str | None, short: bool) -> list[Fault]:
    """The faults that a command line asks for: all, or those of a name, or the short set.

    Raises:
        InputError: There is no such name among them.
    """
    able = [fault for fault in FAULTS if can_mount() or not fault.needs_disk]
    listed = [fault for fault in able if fault.is_short or not short]
    names = list(dict.fromkeys(fault.name for fault in listed))
    if only not in (None, *names):
        where = "--only with --short" if short else "--only"
        remedy = "" if can_mount() else "Faults of whole disks need root."
        raise InputError(fault_line(where, f"must be one of {', '.join(names)}", repr(only), remedy))
    if only is None:
        return [fault for fault in listed if fault.is_short == short]
    return [fault for fault in listed if fault.name == only]


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


@contextmanager
def _case(folder: Path, cluster: SimulatedCluster, fault: Fault) -> Iterator[Case]:
    """A study, with its commands, until the block ends, however it does."""
    case = Case(folder, cluster, fault.changes)
    try:
        yield case
    finally:
        case.stop()
        case.remove()


def _group(faults: Sequence[Fault]) -> Sequence[Fault]:
    """The first fault, and those after it that meet the same study."""
    number = 1
    while number < len(faults) and faults[number].joins == faults[number - 1].name:
        number += 1
    return faults[:number]


def _outcomes(group: Sequence[Fault], case: Case, references: dict[str, Case], seed: int) -> list[Outcome]:
    """Plays faults on one study until one goes wrong, and first its undisturbed one where no fault before had the same.

    Returns:
        What became of those that were played.
    """
    fault = group[0]
    key = repr(fault.changes)
    try:
        if key not in references:
            references[key] = _undisturbed(case.folder.with_name(f"reference-{len(references)}"), case.cluster, fault)
    except Exception as error:  # other faults may have another one
        problem = f"{type(error).__name__}: {error}"
        return [Outcome(fault.name, fault.point, 0, False, (), 0.0, 0, (problem,))]
    return _played(group, case, references[key], seed)


def _undisturbed(folder: Path, cluster: SimulatedCluster, fault: Fault) -> Case:
    started = time.monotonic()
    case = Case(folder, cluster, fault.changes)
    try:
        case.wait(case.start())
    finally:
        case.stop()
    if not case.is_done:
        raise DrillError(f"the undisturbed study failed:\n{case.output[-4000:]}")
    case.temporary = files(folder.parent / _TEMPORARY)
    say(f"undisturbed: {len(case.snare.told)} epochs, {time.monotonic() - started:.0f} s")
    return case


def _played(group: Sequence[Fault], case: Case, reference: Case, seed: int) -> list[Outcome]:
    memory, parts = shared_memory(), list[_Part]()
    for fault in group:
        parts.append(_Part.played(fault, case, random.Random(f"{seed} {fault.name}"), ends=fault is group[-1]))
        if parts[-1].problems:
            break
    differing = ["the study was not done, and not compared"] if parts[-1].problems else _differing(case, reference)
    try:
        case.stop()
        case.cluster.mend()
        orphans = _orphans(case, reference, memory)
    except Exception as error:
        orphans = [f"what is left cannot be told: {type(error).__name__}: {error}"]
    return [part.outcome(case, differing, orphans) for part in parts]


def _differing(case: Case, reference: Case) -> list[str]:
    try:
        return differences(reference.study, case.study)
    except Exception as error:
        return [f"the studies cannot be compared: {type(error).__name__}: {error}"]


@dataclass(frozen=True)
class _Part:
    """What a fault did to a study that it may have shared."""

    fault: Fault
    seconds: float
    commands: range
    problems: Sequence[str]

    @classmethod
    def played(cls, fault: Fault, case: Case, draw: random.Random, *, ends: bool) -> _Part:
        """Plays it; where it is the last, until the study is done."""
        started, first = time.monotonic(), case.num_attempts + 1
        problems = _problems(fault, case, draw, ends=ends)
        return cls(fault, time.monotonic() - started, range(first, case.num_attempts + 1), problems)

    def outcome(self, case: Case, differing: Sequence[str], orphans: Sequence[str]) -> Outcome:
        """With what was found when the study was done."""
        repeated = case.repeated(self.commands)
        problems = [*self.problems, *differing]
        is_equal = not problems
        problems += [f"epochs trained again: {dict(one)}" for one in repeated if _depth(one) > self.fault.may_repeat]
        lost = sum(one.total() for one in repeated)
        figures = lost, is_equal, tuple(orphans), round(self.seconds, 1), len(self.commands)
        return Outcome(self.fault.name, self.fault.point, *figures, tuple(problems))


def _depth(repeated: Counter[str]) -> int:
    """The most epochs of one run that were trained again, each counted once."""
    return max(Counter(name.rpartition("/")[0] for name in repeated).values(), default=0)


def _problems(fault: Fault, case: Case, draw: random.Random, *, ends: bool) -> list[str]:
    """Plays a fault; what went wrong, a line each."""
    try:
        fault.play(case, draw)
        if ends:
            case.finish()
        return []
    except DrillError as error:
        return [str(error), *case.output.strip().splitlines()[-12:]]
    except Exception as error:  # of the drill itself, or of what it asks of this machine: the other faults go on
        return [f"{type(error).__name__}: {error}", *traceback.format_exc().splitlines()[-12:]]


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
