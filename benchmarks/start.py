"""Seconds from the command `translearn run` to its first model and to the first training step, on little data.

150 made images of 32 pixels in ten classes, and a MobileNetV2 whose weights are a file (random ones). Each run is a
study of its own in a process of its own, and is interrupted after its first epoch. ``ray_s``: Ray stands and has a
dashboard. ``model_s``: the linear probe lies in ``model/``. ``step_s``: the first step of a trial begins. Target: 15 s.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import common
import torch
import yaml
from made_images import make_folder
from torchvision.models import mobilenet_v2

_STAGES = {"ray_s": "Ray dashboard", "model_s": "model so far"}
_POLL_S, _TIMEOUT_S = 0.02, 300


def measure(quick: bool) -> dict[str, Any]:
    """Measure the stages of some starts, one after the other."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_folder(folder / "images", 150, 32)
        torch.save(mobilenet_v2().state_dict(), folder / "weights.pt")
        runs = [_stages(folder, f"run-{index}") for index in range(1 if quick else 5)]
    return {name: common.spread([run[name] for run in runs]) for name in runs[0]}


def _stages(folder: Path, name: str) -> dict[str, float]:
    file, log = folder / f"{name}.yaml", folder / f"{name}.log"
    file.write_text(yaml.safe_dump(_study(folder, name)))
    command, started = [sys.executable, "-m", "translearn.cli", "run", str(file)], time.time()
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as run:
        try:
            found = dict(_followed(run, log, folder / "runs" / name / "search"))
        finally:
            run.send_signal(signal.SIGINT)
    return {stage: at - started for stage, at in found.items()}


def _study(folder: Path, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "storage": str(folder / "runs"),
        "target": {"data": str(folder / "images"), "image_size": 32},
        "sources": [{"name": "file", "arch": "mobilenet_v2", "checkpoint": str(folder / "weights.pt")}],
        "search": {"trials": 4, "epochs": 5},
        "refit": {"epochs": 5},
    }


def _followed(run: subprocess.Popen[bytes], log: Path, search: Path) -> Iterator[tuple[str, float]]:
    """Yield each stage when it is seen, the first step last, which the trial itself has timed."""
    waiting, ends_at = dict(_STAGES), time.time() + _TIMEOUT_S
    while run.poll() is None and time.time() < ends_at:
        text = log.read_text()
        for stage in [stage for stage, words in waiting.items() if words in text]:
            del waiting[stage]
            yield stage, time.time()
        if rows := [json.loads(path.read_text().splitlines()[0]) for path in _written(search)]:
            yield "step_s", min(row["began_at"] for row in rows)
            return
        time.sleep(_POLL_S)
    raise RuntimeError(f"no trial has trained:\n{log.read_text()}")


def _written(search: Path) -> list[Path]:
    return [path for path in search.glob("*/result.json") if "\n" in path.read_text()]


if __name__ == "__main__":
    common.run("start", measure)
