"""The study that meets faults: as small as a study with all steps can be, and its commands as processes."""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import safetensors.torch
import yaml
from outcome import TRIAL_ID
from scene import Scene

from translearn.models.network import build

_ARCH = "mobilenet_v2"
_INGEST = {"split": [0.2, 0.2, 0.6], "limit_per_class": 12}
_PRETRAIN = {"data": "sklearn:digits", "epochs": 3, "lr": 0.03, "ingest": {**_INGEST, "limit_per_class": 4}}
_SEARCH = {"sampler": "random", "scheduler": "none", "epochs": 3, "freeze_depth": [2, 4]}
_ATTEMPTS, _ATTEMPT_S, _SETTLE_S, _LOOK_S = 5, 900.0, 60.0, 0.02


class FaultError(Exception):
    """A study did not take a fault as promised."""


class TinyStudy:
    """A study in a folder of its own, which all nodes share.

    Attributes:
        scene: The cluster.
        home: The folder that holds its storage.
        directory: The study's directory.
        num_commands: How often the command was given.
        output: The output of the last command that has ended.
    """

    def __init__(self, scene: Scene, folder: Path, whole: bool) -> None:
        """Write the study file; ``whole``: with pre-training, ranking and trials that diverge."""
        self.scene, self.home, self._folder = scene, folder / "disk", folder
        self.directory = self.home / "runs" / "tiny"
        self.num_commands, self.output = 0, ""
        self._driver: subprocess.Popen[bytes] | None = None
        self._began, self._blows = time.time(), list[float]()
        self.home.mkdir(parents=True)
        (folder / "study.yaml").write_text(yaml.safe_dump(self._tree(whole)))

    def start(self) -> subprocess.Popen[bytes]:
        """Give the command, unless it runs; return its process."""
        if self._driver is None:
            self.num_commands += 1
            study, address = str(self._folder / "study.yaml"), self.scene.cluster("address")
            with self._log.open("wb") as log:
                self._driver = subprocess.Popen(
                    [sys.executable, "-m", "translearn.cli", "run", study, "--address", address, "--json"],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
                    | self.scene.variables,
                )
        return self._driver

    def reach(self, pattern: str, number: int) -> None:
        """Let the command run until so many files of the study have matched; from then on faults are at this point.

        Raises:
            FaultError: The command ended before.
        """
        driver, seen, deadline = self.start(), set[str](), time.monotonic() + _ATTEMPT_S
        while len(seen) < number:
            has_ended = driver.poll() is not None  # read before the files, which the command may leave as it ends
            seen.update(glob.glob(pattern, root_dir=self.directory, recursive=True, include_hidden=True))  # noqa: PTH207
            if len(seen) < number and (has_ended or time.monotonic() > deadline):
                self.wait()
                raise FaultError(f"{number} of {pattern} must come before the command ends:\n{self.output[-3000:]}")
            time.sleep(_LOOK_S)
        self._blows.append(time.time())

    def kill(self) -> None:
        """Kill the command."""
        self.start().kill()
        self.wait()

    def is_at_work(self) -> bool:
        """Return whether the command runs."""
        return self._driver is not None and self._driver.poll() is None

    def settle(self) -> None:
        """Wait until Ray has ended what a command left: its actors would write over damaged files."""
        deadline = time.monotonic() + _SETTLE_S
        while self.scene.leftovers() and time.monotonic() < deadline:
            time.sleep(_LOOK_S)

    def wait(self) -> int:
        """Wait for the command, give it where it does not run; return its exit code, -9 where it never ended."""
        driver = self.start()
        try:
            return driver.wait(_ATTEMPT_S)
        except subprocess.TimeoutExpired:
            driver.kill()
            return driver.wait()
        finally:
            self._driver, self.output = None, self._log.read_text(errors="replace")

    def fail(self, text: str) -> None:
        """Wait for the command likewise; raise FaultError unless it ends with one error that holds the text."""
        code = self.wait()
        before, error, after = self.output.partition("\nerror: ")  # TensorBoard's threads may complain afterwards
        if code not in (1, 2) or text not in error + after or "Traceback" in before:
            raise FaultError(f"must end with an error that says {text!r}, not with {code}:\n{self.output[-3000:]}")

    def finish(self) -> None:
        """Give the command, as a user would, until the study is done. Raises FaultError where it never is."""
        for _ in range(_ATTEMPTS):
            self.wait()
            last = (self.output.strip().splitlines() or [""])[-1]
            if last.startswith('{"command"') and json.loads(last)["status"] == "done":
                return
        raise FaultError(f"must be done after {self.num_commands} commands:\n{self.output[-3000:]}")

    def epochs(self) -> list[tuple[float, str, int]]:
        """Return the epochs that were trained, as workers log them: time, trial or refit, and number, in order."""
        lines = [line for file in self.scene.logs for line in file.read_text(errors="replace").splitlines()]
        told = [json.loads(line) for line in lines if line.startswith("{") and '"event": "epoch"' in line]
        mine = [row for row in told if row["time"] > self._began and row["worker"] == 0]
        return sorted((row["time"], TRIAL_ID.sub("", row["trial"]), row["epoch"]) for row in mine)

    def lost(self) -> list[Counter[str]]:
        """Return after each fault, by trial or refit, the epochs that had ended and were trained again."""
        seen, found = set[tuple[str, int]](), [Counter[str]() for _ in [0.0, *self._blows]]
        for at, run, epoch in self.epochs():
            found[sum(struck < at for struck in self._blows)][run] += (run, epoch) in seen
            seen.add((run, epoch))
        return [+lost for lost in found]

    def remove(self) -> None:
        """End the command, and delete everything."""
        if self._driver:
            self.kill()
        while self.home.is_mount():
            subprocess.run(["umount", "--lazy", str(self.home)], check=True)
        shutil.rmtree(self._folder)

    def _tree(self, whole: bool) -> dict[str, Any]:
        """The study file. Whatever may depend on the number of nodes is set, because nodes are lost."""
        source: dict[str, Any] = {"checkpoint": str(self._folder / "donor.safetensors")}
        search: dict[str, Any] = {**_SEARCH, "trials": 2, "lr": [1e-3, 3e-2], "prior": "off"}
        if whole:
            source, search = {"pretrain": _PRETRAIN}, {**_SEARCH, "trials": 11, "lr": [1e-3, 1e12]}
        else:
            state = {name: tensor.contiguous() for name, tensor in build(_ARCH, 10, 1).state_dict().items()}
            safetensors.torch.save_file(state, source["checkpoint"])
        number = 2 if whole else 1
        return {
            "name": self.directory.name,
            "storage": str(self.directory.parent),
            "target": {"data": "sklearn:digits", "image_size": 32, "train_per_class": 4, "ingest": _INGEST},
            "sources": [{"name": "donor", "arch": _ARCH, **source}],
            "search": search,
            "train": {"batch_size": 16, "augment": "crop", "precision": "fp32", "sync_batchnorm": False},
            "cluster": {"refit_workers": number, "checkpoint_interval_s": 0.0},
            "refit": {"seeds": number, "epochs": 3, "candidates": 1, "baseline_cap": 1},
        }

    @property
    def _log(self) -> Path:
        return self._folder / f"command-{self.num_commands}.log"
