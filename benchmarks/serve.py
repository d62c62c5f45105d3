"""Serving a trained ResNet-18 by `translearn serve`, against a plain loop of `Model.predict`.

The server runs in a process of its own, with two replicas, on 127.0.0.1; callers post a JPEG file a request, each on a
connection that it keeps. `one` is a single caller, `many` are 16 at once. `loop` calls `Model.predict` with the same
files, one after the other in one process, with all cores: no network, no JSON, no second process. Its latency is a
call's.

`requests_s`, `p50_ms` and `p99_ms` are of each turn, in turn (loop, one, many, loop, ...); `ratio` is the requests a
second over the loop's of the same turn. `lost` counts requests that were not answered with 200.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import ratio, run, spread
from made_images import make_folder

from translearn.cluster.session import free_port
from translearn.data.images.large import MAX_PIXELS
from translearn.data.images.pixels import FORMATS
from translearn.data.transforms import MEAN, STD
from translearn.deploy.model import load_model
from translearn.models.model_dir import save_model
from translearn.models.model_info import ModelInfo
from translearn.models.network import build
from translearn.models.preprocessing import Preprocessing, with_steps
from translearn.storage.folder import Folder
from translearn.training.precision import prepare_process

_SIDE, _CLASSES, _MANY = 256, 10, 16


@dataclass(frozen=True)
class Turn:
    """The seconds of each request, of all of them, and how many were lost."""

    latencies_s: list[float]
    seconds: float
    lost: int

    @property
    def rate(self) -> float:
        return len(self.latencies_s) / self.seconds


def measure(quick: bool) -> dict[str, Any]:
    num, repeats, size = (100, 2, 64) if quick else (600, 5, 224)
    with tempfile.TemporaryDirectory() as place:
        contents, model = _prepare(Path(place), num, size)
        port = free_port()
        server = _started(model, port)
        try:
            prepare_process(len(os.sched_getaffinity(0)))
            loaded = load_model(model, device="cpu")
            variants: dict[str, Callable[[], Turn]] = {
                "loop": lambda: _turn(loaded.predict, contents),
                "one": lambda: _served(port, contents, 1),
                "many": lambda: _served(port, contents, _MANY),
            }
            turns: dict[str, list[Turn]] = {name: [] for name in variants}
            for _ in range(repeats + 1):
                for name, variant in variants.items():
                    turns[name].append(variant())
        finally:
            server.terminate()
            server.wait()
    measured = {name: found[1:] for name, found in turns.items()}  # the first turn warms up
    rates = {name: [turn.rate for turn in found] for name, found in measured.items()}
    return {
        "images": {"side": _SIDE, "size": size, "num": num},
        "requests_s": {name: spread(found) for name, found in rates.items()},
        "p50_ms": {name: _percentile(found, 50) for name, found in measured.items()},
        "p99_ms": {name: _percentile(found, 99) for name, found in measured.items()},
        "ratio": {name: ratio(rates[name], rates["loop"]) for name in ("one", "many")},
        "lost": sum(turn.lost for found in measured.values() for turn in found),
    }


def _prepare(place: Path, num: int, size: int) -> tuple[list[bytes], str]:
    make_folder(place / "images", num, _SIDE)
    fields = with_steps(Preprocessing(image_size=size, mean=MEAN, std=STD, formats=FORMATS, max_pixels=MAX_PIXELS))
    info = ModelInfo(arch="resnet18", classes=tuple(map(str, range(_CLASSES))), preprocessing=fields)
    save_model(Folder.open(place / "model"), build("resnet18", _CLASSES, seed=0).state_dict(), info)
    return [path.read_bytes() for path in sorted((place / "images").rglob("*.jpg"))], str(place / "model")


def _started(model: str, port: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "translearn.cli", "serve", model, "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def _turn(call: Callable[[bytes], object], contents: list[bytes]) -> Turn:
    latencies, lost, started = [], 0, time.perf_counter()
    for content in contents:
        before = time.perf_counter()
        lost += call(content) is False
        latencies.append(time.perf_counter() - before)
    return Turn(latencies, time.perf_counter() - started, lost)


def _served(port: int, contents: list[bytes], callers: int) -> Turn:
    started = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        parts = [contents[first::callers] for first in range(callers)]
        turns = list(pool.map(lambda part: _turn(_caller(port), part), parts))
    latencies = [seconds for turn in turns for seconds in turn.latencies_s]
    return Turn(latencies, time.perf_counter() - started, sum(turn.lost for turn in turns))


def _caller(port: int) -> Callable[[bytes], bool]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(content: bytes) -> bool:
        connection.request("POST", "/predict", content)
        reply = connection.getresponse()
        reply.read()
        return reply.status == 200

    return post


def _percentile(turns: list[Turn], percent: float) -> dict[str, float]:
    return spread([1000 * float(np.percentile(turn.latencies_s, percent)) for turn in turns])


if __name__ == "__main__":
    run("serve", measure)
