"""The faults that processes and nodes meet: what is killed, when, and what a user does then."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from translearn.drill.case import Case
from translearn.drill.trap import Trap

#: As many epochs as the study has of each stage, or a little fewer.
_NUM_EPOCHS = {"search": 7, "refit": 8}

Play = Callable[[Case, random.Random], None]
#: Gets the case, the driver, and the process in the trap.
Strike = Callable[[Case, "subprocess.Popen[bytes]", int], None]


@dataclass(frozen=True)
class Fault:
    """A fault, and the point at which it strikes.

    Attributes:
        name: What ``--only`` takes; several points share it.
        point: Where it strikes.
        play: Does it: starts the study, strikes, and gives the command again until the study is done.
        changes: What is different in the study, ``search__trials`` for ``search.trials``; its undisturbed run is then
            one with the same changes.
        is_short: Whether it is one of the short set.
        may_repeat: How many epochs of a trial in flight may have to be trained again.
    """

    name: str
    point: str
    play: Play
    changes: dict[str, Any] = field(default_factory=dict)
    is_short: bool = False
    may_repeat: int = 1


def trapped(trap: Trap) -> Play:
    """The process that steps into the trap is the one to be hit."""
    return in_turn((trap,))


def in_turn(*commands: tuple[Trap, ...]) -> Play:
    """Each command meets traps of its own, and what another one left."""

    def play(case: Case, _: random.Random) -> None:
        for traps in commands:
            driver = case.start(*traps)
            case.until_sprung(driver)
            case.wait(driver)
        case.finish()

    return play


def at(trap: Trap, strike: Strike) -> Play:
    """The process that steps into the trap waits until ``strike``, which gets the driver and that process, is done."""

    def play(case: Case, _: random.Random) -> None:
        driver, snare = case.start(trap), case.snare
        strike(case, driver, case.until_sprung(driver))
        snare.answer()
        case.wait(driver)
        case.cluster.mend()
        case.finish()

    return play


def at_random(stage: str, strike: Strike) -> Play:
    """Likewise, after an epoch of a stage that is drawn from the seed."""

    def play(case: Case, draw: random.Random) -> None:
        number = draw.randint(1, _NUM_EPOCHS[stage])
        at(Trap("epoch", f"^{stage}/.*/rank0/", "ask", number), strike)(case, draw)

    return play


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


def _placed(path: str, number: int = 1) -> Trap:
    return Trap("placed", path, "die", number)


_CHECKPOINT = Trap("opened", r"/translearn-checkpoint-[^/]*/state\.pt$", "die", 2)
_OTHER_WORKER = Trap("epoch", r"^refit/.*/rank1/", "die", 2)
_STATE, _TRIALS = _placed(r"/search/states/.*\.pt$", 2), _placed(r"/trials\.parquet$")
_DEPLOYED = _placed(r"/drill/model/model\.json$")
_IN_TURN = (
    _placed(r"/data/target/manifest\.json$"),
    _placed(r"/search/heats/.*\.json$", 2),
    _TRIALS,
    _placed(r"/drill/curves\.parquet$", 2),  # the refits are done, and evaluation has not begun
    _placed(r"/evaluation\.json$"),
)
PROCESS_FAULTS = (
    Fault("lane", "after a random epoch of the search", at_random("search", kill_victim)),
    Fault("lane", "during a checkpoint", trapped(_STATE)),
    Fault(
        "worker", "the one that writes nothing, after an epoch", trapped(Trap("epoch", r"^refit/.*/rank1/", number=2))
    ),
    Fault("worker", "during a checkpoint", trapped(_CHECKPOINT)),
    Fault("worker", "during model.json of a refit", trapped(_placed(r"/refit/[^/]+/model\.json$", 2))),
    Fault("node", "after a random epoch of the search", at_random("search", kill_node)),
    Fault("node", "after a random epoch of a refit", at_random("refit", kill_node)),
    Fault("driver", "after a random epoch of the search", at_random("search", kill_driver)),
    Fault(
        "driver",
        "during manifest.json, a heat's rows, trials.parquet, between refit and evaluate, and evaluation.json, in turn",
        in_turn(*((trap,) for trap in _IN_TURN)),
        may_repeat=len(_IN_TURN),
    ),
    Fault("driver", "during model.json of the deployed model", trapped(_DEPLOYED)),
    Fault("head", "after a random epoch of the search", at_random("search", kill_head)),
    Fault("head", "after a random epoch of a refit", at_random("refit", kill_head)),
    Fault(
        "several",
        "a lane in a checkpoint and the driver at trials.parquet; then a worker in one, and it at model.json",
        in_turn((_STATE, _TRIALS), (_CHECKPOINT, _DEPLOYED)),
        changes={"search__trials": 2, "refit__seeds": 1},
        is_short=True,
        may_repeat=2,
    ),
)
