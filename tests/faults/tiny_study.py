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
from disk import mount, unmount
from scene import Scene

from translearn.models.network import build

NAME = "tiny"
_ARCH = "mobilenet_v2"
_INGEST = {"split": [0.2, 0.2, 0.6], "limit_per_class": 12}
_PRETRAIN = {"data": "sklearn:digits", "epochs": 3, "lr": 0.03, "ingest": {**_INGEST, "limit_per_class": 4}}
_ATTEMPTS, _ATTEMPT_S, _LOOK_S = 5, 900.0, 0.02


class FaultError(Exception):
    """A study did not take a fault as promised."""


class TinyStudy:
    """A study in a folder of its own, which all nodes share.

    Attributes:
        scene: The cluster.
        home: The disk that its storage is on.
        directory: The study's directory.
        num_commands: How often the command was given.
        output: The output of the last command that has ended.
    """

    def __init__(self, scene: Scene, folder: Path, short: bool, own_disk: bool = False) -> None:
        """Write the study file; ``short``: without pre-training and ranking, with two trials and two refits."""
        self.scene, self.home, self._folder = scene, folder / "disk", folder
        self.directory, self.source = self.home / "runs" / NAME, folder / "donor.safetensors"
        self.num_commands, self.output, self._driver = 0, "", None
        self._blows: list[float] = []
        self._began = time.time()
        self.home.mkdir(parents=True)
        if own_disk:
            mount(self.home)
        if short:
            self.write_source(1)
        (folder / "study.yaml").write_text(yaml.safe_dump(self._tree(short)))

    def write_source(self, seed: int) -> None:
        """Write the checkpoint of the source, a function of the seed."""
        state = {name: tensor.contiguous() for name, tensor in build(_ARCH, 10, seed).state_dict().items()}
        safetensors.torch.save_file(state, self.source)

    def start(self) -> None:
        """Give the command."""
        self.num_commands += 1
        command = ["run", str(self._folder / "study.yaml"), "--address", self.scene.cluster("address"), "--json"]
        with self._log.open("wb") as log:
            self._driver = subprocess.Popen(
                [sys.executable, "-m", "translearn.cli", *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**_clean_environment(), **self.scene.variables},
            )

    def reach(self, pattern: str, number: int = 1) -> None:
        """Give the command unless it runs, and wait until so many files of the study match.

        Raises:
            FaultError: The command ended before.
        """
        if self._driver is None:
            self.start()
        driver, seen, deadline = self._driver, set[str](), time.monotonic() + _ATTEMPT_S
        while len(seen) < number:
            has_ended = driver.poll() is not None  # read before the files, which the command may leave as it ends
            seen.update(glob.glob(pattern, root_dir=self.directory, recursive=True, include_hidden=True))  # noqa: PTH207
            if len(seen) < number and (has_ended or time.monotonic() > deadline):
                self.wait()
                raise FaultError(f"{pattern} must come {number} times, but the command ended:\n{self.output[-3000:]}")
            time.sleep(_LOOK_S)

    def strike(self) -> None:
        """Note the time of a fault: epochs that are trained again later are its."""
        self._blows.append(time.time())

    def kill(self) -> None:
        """Kill the command, and wait until Ray has ended its actors: these would write over damaged files."""
        self._driver.kill()
        self.wait()
        deadline = time.monotonic() + 60
        while self.scene.leftovers() and time.monotonic() < deadline:
            time.sleep(_LOOK_S)

    def wait(self) -> int:
        """Wait for the command; return its exit code, -9 where it had to be killed."""
        driver, self._driver = self._driver, None
        try:
            return driver.wait(_ATTEMPT_S)
        except subprocess.TimeoutExpired:
            driver.kill()
            return driver.wait()
        finally:
            self.output = self._log.read_text(errors="replace")

    def fail(self, text: str) -> None:
        """Let the command end, or give it; raise FaultError unless it ends with one error that holds the text."""
        if self._driver is None:
            self.start()
        code = self.wait()
        before, error, after = self.output.partition("\nerror: ")  # TensorBoard's threads may complain afterwards
        if code not in (1, 2) or text not in error + after or "Traceback" in before:
            raise FaultError(
                f"must end with an error that says {text!r}, but ended with {code}:\n{self.output[-3000:]}"
            )

    def finish(self) -> None:
        """Give the command, as a user would, until the study is done. Raises FaultError where it never is."""
        while not self._is_done():
            if self._driver is None and self.num_commands >= _ATTEMPTS + len(self._blows):
                raise FaultError(f"not done after {self.num_commands} commands:\n{self.output[-3000:]}")
            if self._driver is None:
                self.start()
            self.wait()

    def num_epochs(self) -> int:
        """Return how many epochs were trained so far."""
        return len(self._epochs())

    def lost(self) -> list[Counter[str]]:
        """Return after each fault, by trial or refit, the epochs that had ended and were trained again."""
        seen: set[tuple[str, int]] = set()
        found = [Counter[str]() for _ in [0, *self._blows]]
        for at, run, epoch in self._epochs():
            blow = sum(struck < at for struck in self._blows)
            found[blow][run] += (run, epoch) in seen
            seen.add((run, epoch))
        return [+lost for lost in found]

    def remove(self) -> None:
        """End the command, and delete everything."""
        if self._driver:
            self._driver.kill()
            self.wait()
        unmount(self.home)
        shutil.rmtree(self._folder)

    def _is_done(self) -> bool:
        last = (self.output.strip().splitlines() or [""])[-1]
        return self._driver is None and last.startswith('{"command"') and json.loads(last)["status"] == "done"

    def _epochs(self) -> list[tuple[float, str, int]]:
        """The epochs that the logs of workers tell of: time, trial or refit, and number, in order."""
        lines = [line for file in self.scene.logs for line in file.read_text(errors="replace").splitlines()]
        told = [json.loads(line) for line in lines if line.startswith("{") and '"event": "epoch"' in line]
        mine = [row for row in told if row["time"] > self._began and row["worker"] == 0]
        return sorted((row["time"], row["trial"], row["epoch"]) for row in mine)

    def _tree(self, short: bool) -> dict[str, Any]:
        """The study file. Whatever may depend on the number of nodes is set, because nodes are lost."""
        search = {"trials": 11, "epochs": 3, "lr": [1e-3, 1e12]}  # some diverge
        short_search = {"trials": 2, "epochs": 3, "lr": [1e-3, 3e-2], "prior": "off"}
        source = {"checkpoint": str(self.source)} if short else {"pretrain": _PRETRAIN}
        train = {"batch_size": 16, "augment": "crop", "precision": "fp32", "compile": "never", "sync_batchnorm": False}
        return {
            "name": NAME,
            "storage": str(self.directory.parent),
            "target": {"data": "sklearn:digits", "image_size": 32, "train_per_class": 4, "ingest": _INGEST},
            "sources": [{"name": "donor", "arch": _ARCH, **source}],
            "search": {"sampler": "random", "scheduler": "none", "freeze_depth": [2, 4], **search}
            | (short_search if short else {}),
            "train": train,
            "cluster": {"refit_workers": 2, "checkpoint_interval_s": 0.0},
            "refit": {"seeds": 1 if short else 2, "epochs": 3, "candidates": 1},
        }

    @property
    def _log(self) -> Path:
        return self._folder / f"command-{self.num_commands}.log"


def _clean_environment() -> dict[str, str]:
    """The environment without the address of another Ray that tests before may have left."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
