"""What faults are made of: steps, each of which gives the study's command, and has it hit or refused."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from translearn.drill.case import Case
from translearn.drill.trap import Trap

#: Gets the case, the driver, and the process in the trap.
Strike = Callable[[Case, "subprocess.Popen[bytes]", int], None]
Act = Callable[[Case, random.Random], None]


@dataclass(frozen=True)
class Step:
    """A part of a fault.

    Attributes:
        point: Where it strikes.
        act: Does it.
    """

    point: str
    act: Act


@dataclass(frozen=True)
class Hit:
    """A blow to a study.

    Attributes:
        point: Where it strikes.
        trap: The process that steps into it waits until ``strike`` is done, where it asks.
        strike: What is done then; nothing where the trap does it.
        most: At which match the trap springs is drawn from 1 to this number, where it is more than 0.
    """

    point: str
    trap: Trap
    strike: Strike | None = None
    most: int = 0

    def drawn(self, draw: random.Random) -> Trap:
        """The trap, at a match that is drawn."""
        return replace(self.trap, number=draw.randint(1, self.most)) if self.most else self.trap


@dataclass(frozen=True)
class Fault:
    """A fault: steps that one study meets, in turn, before the command is given again until the study is done.

    Attributes:
        name: What ``--only`` takes; several may share it.
        steps: What the study meets.
        changes: What is different in the study, ``search__trials`` for ``search.trials``; its undisturbed run is then
            one with the same changes.
        is_short: Whether it is of the short set; the others hit its points too, so that it is not of the whole one.
        may_repeat: How many epochs of a trial or refit that had ended may be trained again after a hit.
        needs_disk: Whether the study needs a disk of its own.
        joins: The fault whose study it meets, where that one was played just before and went well; empty for none.
    """

    name: str
    steps: tuple[Step, ...]
    changes: dict[str, Any] = field(default_factory=dict)
    is_short: bool = False
    may_repeat: int = 1
    needs_disk: bool = False
    joins: str = ""

    @property
    def point(self) -> str:
        """Where it strikes, all its steps."""
        return "; then ".join(step.point for step in self.steps if step.point)

    def play(self, case: Case, draw: random.Random) -> None:
        """Does it, but for the study's end. Raises DrillError where something does not go as it should."""
        case.cluster.mend()  # a fault before it may have failed to
        if self.needs_disk and not case.disk:
            case.mount()
        for step in self.steps:
            step.act(case, draw)
            case.cluster.mend()


def command(*hits: Hit) -> Step:
    """The study's command, and what hits it, in turn, before it ends."""

    def act(case: Case, draw: random.Random) -> None:
        driver, waiting = case.start(*(hit.drawn(draw) for hit in hits)), dict(enumerate(hits))
        snare = case.snare
        while waiting:
            index, victim = case.sprung(driver, waiting)
            if strike := waiting.pop(index).strike:
                strike(case, driver, victim)
            snare.answer(index)
        case.wait(driver)

    return Step(", ".join(hit.point for hit in hits if hit.point), act)


def kill_victim(case: Case, driver: subprocess.Popen[bytes], victim: int) -> None:  # noqa: ARG001
    """``kill -9`` of the process in the trap."""
    os.kill(victim, signal.SIGKILL)


def kill_driver(case: Case, driver: subprocess.Popen[bytes], victim: int) -> None:  # noqa: ARG001
    """``kill -9`` of the command."""
    driver.kill()


def kill_node(case: Case, driver: subprocess.Popen[bytes], victim: int) -> None:  # noqa: ARG001
    """All processes of the node of the process in the trap; then the cluster gets another node."""
    case.cluster.remove(case.cluster.node_of(victim))
    case.cluster.mend()


def kill_head(case: Case, driver: subprocess.Popen[bytes], victim: int) -> None:  # noqa: ARG001
    """The whole cluster."""
    case.cluster.kill_head()
