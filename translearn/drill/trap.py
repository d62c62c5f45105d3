"""Where a fault strikes: at the n-th time that a file comes into place, or that an epoch ends, in whatever process.

A trap is set in the processes of the drill alone (``hook``). The product knows nothing of it.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Event = Literal["placed", "opened", "epoch"]
Act = Literal["die", "ask"]

_PATIENCE_S, _LOOK_S = 120.0, 0.05
_SPRUNG, _ANSWERED, _TOLD = "sprung", "answered", "told"
#: Stands among the epochs where a trap sprang.
HIT = "hit"


@dataclass(frozen=True)
class Trap:
    """What springs, and what it does.

    Attributes:
        event: ``placed``: a file was written beside its place, and is about to be renamed into it; ``opened``: one is
            about to be opened to be written; ``epoch``: an epoch was trained, and nobody knows yet.
        pattern: What the path, or the name of the epoch (``hook.epoch_name``), must match; a regular expression.
        act: ``die``: the process is killed, as by ``kill -9``; ``ask``: it waits until the drill has done its part.
        number: The how-manieth match it is, over all processes.
        lasts: Whether it springs again at every later match.
    """

    event: Event
    pattern: str
    act: Act = "die"
    number: int = 1
    lasts: bool = False


@dataclass(frozen=True)
class Snare:
    """Traps, and the folder through which their processes and the drill tell each other. Pickles into processes.

    A trap counts its matches from when the one before it has sprung.
    """

    traps: tuple[Trap, ...]
    folder: str

    @classmethod
    def read(cls, file: Path) -> Snare:
        """What ``write`` left."""
        told = json.loads(file.read_text())
        return cls(tuple(Trap(**trap) for trap in told["traps"]), told["folder"])

    def write(self) -> Path:
        """Leaves itself in a file in its folder, for a process that is started with the file's name."""
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        file = self._file("snare.json")
        file.write_text(json.dumps(asdict(self)))
        return file

    def step(self, event: Event, what: str) -> None:
        """Is called at each event. Traps spring where it is theirs."""
        for index, trap in enumerate(self.traps):
            if event == trap.event and re.search(trap.pattern, what) and self._is_set(index):
                number = self._claim(index)
                if number == trap.number or (trap.lasts and number > trap.number):
                    self._act(index)

    def tell(self, line: str) -> None:
        """Writes down that an epoch was trained, by its name, or ``HIT``."""
        with self._file(_TOLD).open("a") as file:
            file.write(f"{line}\n")

    @property
    def told(self) -> list[str]:
        """The epochs that were trained so far, and the hits, in order."""
        file = self._file(_TOLD)
        return file.read_text().splitlines() if file.exists() else []

    @property
    def victims(self) -> dict[int, int]:
        """The processes that stepped into traps, by the traps' places."""
        files = {index: self._file(f"{_SPRUNG}-{index}") for index in range(len(self.traps))}
        return {index: int(file.read_text()) for index, file in files.items() if file.exists()}

    def answer(self, index: int = 0) -> None:
        """Lets a process that asks in a trap go on."""
        self._file(f"{_ANSWERED}-{index}").touch()

    def _act(self, index: int) -> None:
        waiting = self._file(f"waiting-{index}-{os.getpid()}")
        self.tell(HIT)
        waiting.write_text(str(os.getpid()))
        waiting.rename(self._file(f"{_SPRUNG}-{index}"))
        if self.traps[index].act == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        self._wait(index)

    def _is_set(self, index: int) -> bool:
        return index == 0 or self._file(f"{_SPRUNG}-{index - 1}").exists()

    def _wait(self, index: int) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not self._file(f"{_ANSWERED}-{index}").exists() and time.monotonic() < deadline:
            time.sleep(_LOOK_S)

    def _claim(self, index: int) -> int:
        """The number of this match of a trap: the first that no process has had."""
        for number in itertools.count(1):
            try:
                self._file(f"match-{index}-{number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            return number
        raise AssertionError

    def _file(self, name: str) -> Path:
        return Path(self.folder) / name
