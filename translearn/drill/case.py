"""One fault: a study of its own, its driver as a process, the trap, and what came of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from translearn.cluster.simulated import SimulatedCluster
from translearn.drill.disk import Disk
from translearn.drill.tiny import NAME, tree, write_source, write_study
from translearn.drill.trap import HIT, Snare, Trap

_ATTEMPTS, _ATTEMPT_S, _LOOK_S = 5, 600.0, 0.05


class DrillError(Exception):
    """A case did not go as it should."""


@dataclass
class Case:
    """A study that is about to meet its fault.

    Attributes:
        folder: Of this case alone; all nodes share it.
        cluster: Where it runs.
        num_attempts: How often the study's command was given.
        output: What the last one printed.
        disk: That of its storage, where it has one of its own.
        temporary: Of an undisturbed one: what it left among temporary files.
    """

    folder: Path
    cluster: SimulatedCluster
    changes: dict[str, Any] = field(default_factory=dict)
    num_attempts: int = 0
    output: str = ""
    disk: Disk | None = None
    temporary: set[str] = field(default_factory=set)
    _drivers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Writes the study."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.storage.mkdir(parents=True)
        self.write_study()

    @property
    def storage(self) -> Path:
        """The study's storage."""
        return self.folder / "disk" / "runs"

    @property
    def study(self) -> Path:
        """The study's directory."""
        return self.storage / NAME

    @property
    def source(self) -> Path:
        """The source's checkpoint."""
        return self.folder / "donor.safetensors"

    @property
    def snare(self) -> Snare:
        """The traps that were set last, with what their processes told."""
        return self._snare(self.num_attempts)

    def mount(self) -> None:
        """Gives it a disk of its own; ``remove`` takes it away."""
        self.disk = Disk.mounted(self.storage.parent)
        self.storage.mkdir()

    def remove(self) -> None:
        """Deletes all that the case made."""
        if self.disk:
            self.disk.unmount()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_study(self, **changes: Any) -> None:
        """Writes the study file, and the source where it is missing."""
        if not self.source.exists():
            write_source(self.source)
        write_study(self.folder / "study.yaml", tree(self.storage, str(self.source), **{**self.changes, **changes}))

    def start(self, *traps: Trap) -> subprocess.Popen[bytes]:
        """Gives the study's command, in a process, with traps in all its processes."""
        self.num_attempts += 1
        snare = Snare(traps, str(self._snares / f"{self.num_attempts}"))
        command = ["run", str(self.folder / "study.yaml"), "--address", self.cluster.address, "--json"]
        with self._log.open("wb") as log:
            driver = subprocess.Popen(
                [sys.executable, "-m", "translearn.drill.victim", str(snare.write()), *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        self._drivers.append(driver)
        return driver

    def stop(self) -> None:
        """Kills commands that still run, after a case that failed."""
        for driver in self._drivers:
            driver.kill()
            driver.wait()

    def wait(self, driver: subprocess.Popen[bytes]) -> int:
        """Waits for a driver to end; returns its exit code. Raises DrillError where it does not end."""
        try:
            return driver.wait(_ATTEMPT_S)
        except subprocess.TimeoutExpired:
            driver.kill()
            driver.wait()
            raise DrillError(f"the command did not end within {_ATTEMPT_S:.0f} s") from None
        finally:
            self.output = self._log.read_text(errors="replace")

    def sprung(self, driver: subprocess.Popen[bytes], indices: Collection[int]) -> tuple[int, int]:
        """Waits until one of these traps has a victim; returns its place and the victim.

        Raises DrillError where the driver ends before, or none has one for long.
        """
        deadline, snare = time.monotonic() + _ATTEMPT_S, self.snare
        while True:
            has_ended = driver.poll() is not None  # before the look: it may end by what it stepped into
            if found := sorted(snare.victims.keys() & set(indices)):
                return found[0], snare.victims[found[0]]
            if has_ended or time.monotonic() > deadline:
                self.output = self._log.read_text(errors="replace")
                raise DrillError(f"the fault did not strike: {snare.traps[min(indices)]}")
            time.sleep(_LOOK_S)

    def finish(self) -> None:
        """Gives the command again, as a user would, until the study is done. Raises DrillError where it never is."""
        for _ in range(_ATTEMPTS):
            if self.is_done:
                return
            self.wait(self.start())
        if not self.is_done:
            raise DrillError(f"the study was not done after {self.num_attempts} commands")

    def refused(self, code: int, text: str) -> None:
        """Gives the command where it must fail. Raises DrillError unless it does, with this exit code and text."""
        found = self.wait(self.start())
        if found != code or text not in self.output:
            raise DrillError(f"the command must end with {code} and say {text!r}, but it ended with {found}")

    @property
    def is_done(self) -> bool:
        """Whether the last command said that the study is done."""
        lines = self.output.strip().splitlines()
        try:
            return bool(lines) and json.loads(lines[-1])["status"] == "done"
        except (ValueError, TypeError, KeyError):
            return False

    def repeated(self, commands: range) -> list[Counter[str]]:
        """Epochs that were trained to their end before: how often each was again after each hit, until the next one.

        An epoch is repeated more than once where it fails again and again, as on a full disk.

        Args:
            commands: Whose hits, counted from 1; those of the first have what came before any hit, too.
        """
        seen: set[str] = set()
        found = [(1, Counter[str]())]
        for number in range(1, self.num_attempts + 1):
            for line in self._snare(number).told:
                name = "/".join(line.split("/")[:3])
                if line == HIT:
                    found.append((number, Counter()))
                elif not name.startswith("replay/"):
                    found[-1][1][name] += name in seen
                    seen.add(name)
        return [+times for number, times in found if number in commands]

    def _snare(self, number: int) -> Snare:
        return Snare.read(self._snares / f"{number}" / "snare.json")

    @property
    def _snares(self) -> Path:
        return self.folder / "snares"

    @property
    def _log(self) -> Path:
        return self.folder / f"driver-{self.num_attempts}.log"
