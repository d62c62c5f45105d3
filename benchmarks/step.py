"""Images per second of one fine-tune (ResNet-18, batch 32, JPEG files) against a plain loop, timm, fastai, Lightning.

``img_s`` is that of each peer at the largest size in fp32, and of translearn at ``precision: auto`` too; the sizes have
the rest. Each measurement is the second epoch of a process of its own. translearn decodes once, before: speeds are
without that time, ``with_decode`` counts the whole of it in one epoch. ``--setup`` installs the peers into an
environment under TRANSLEARN_BENCHMARKS (default: translearn-benchmarks in the user's cache); one that is not there is
``absent``.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import common
import numpy as np
from PIL import Image

HERE = Path(__file__).parent
PEERS = {"timm": "timm==1.0.31", "fastai": "fastai==2.8.12", "lightning": "lightning==2.6.6"}
CACHE = Path(os.environ.get("TRANSLEARN_BENCHMARKS", Path.home() / ".cache" / "translearn-benchmarks"))
PYTHON = CACHE / "peers" / "bin" / "python"
#: fastai's mixed precision is for CUDA only: on a CPU it warns and computes in fp32.
WITHOUT_BF16 = ("fastai",)
THREADS = len(os.sched_getaffinity(0))
BATCH_SIZE = 32
# Images and repetitions by pixels a side.
FULL, QUICK = {64: (640, 3), 224: (128, 2)}, {64: (64, 1)}


def setup() -> None:
    """Makes the peers' environment, each peer with the torch of constraints.txt."""
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "--clear", "--python", sys.executable, str(CACHE / "peers")], check=True)
    pins = ["-c", str(HERE.parent / "constraints.txt"), "torch", "torchvision", *PEERS.values()]
    subprocess.run([uv, "pip", "install", "--python", str(PYTHON), *pins], check=True)


def measure(quick: bool) -> dict[str, Any]:
    """``img_s`` by size, precision and peer; ratios against the best peer of the same turn."""
    python = {"plain": sys.executable, "plain_channels_last": sys.executable, "translearn": sys.executable}
    present = {name: str(PYTHON) for name in PEERS if _has(name)}
    sizes = QUICK if quick else FULL
    found = {f"{size}px": _at(size, *sizes[size], {**python, **present}) for size in sizes}
    told = {"peers": PEERS, "absent": sorted(set(PEERS) - set(present)), "without_bf16": WITHOUT_BF16}
    return {"img_s": _headline(found[f"{max(sizes)}px"]["img_s"]), **told, **found}


def _headline(img_s: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Median images per second by peer."""
    medians = {name: found["median"] for name, found in img_s["fp32"].items()}
    return {**medians, "translearn_auto": img_s["bf16"]["translearn"]["median"]}


def _at(size: int, num: int, repeats: int, pythons: dict[str, str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder), size, num)
        decode_s: list[float] = []
        once = functools.partial(_seconds, decode_s, folder=folder, size=size)
        variants = {
            f"{name}/{precision}": functools.partial(once, name=name, python=python, bf16=precision == "bf16")
            for name, python in pythons.items()
            for precision in ("fp32", "bf16")
            if precision == "fp32" or name not in WITHOUT_BF16
        }
        seconds = common.interleaved(variants, repeats)
    return summary(seconds, decode_s, num)


def summary(seconds: dict[str, list[float]], decode_s: list[float], num: int) -> dict[str, Any]:
    """Figures from the seconds of an epoch of each ``peer/precision``, in turns."""
    img_s: dict[str, dict[str, Any]] = {"fp32": {}, "bf16": {}}
    for variant, values in seconds.items():
        name, precision = variant.split("/")
        img_s[precision][name] = common.spread([num / value for value in values])
    ours = {precision: seconds[f"translearn/{precision}"] for precision in img_s}
    best = {precision: _best(seconds, precision) for precision in img_s}
    decode = common.spread(decode_s)
    whole = {p: num / (common.spread(values)["median"] + decode["median"]) for p, values in ours.items()}
    ratios = {f"ours_{p}_over_best_{p}": common.ratio(best[p], ours[p]) for p in img_s}
    ratios["ours_auto_over_best_fp32"] = common.ratio(best["fp32"], ours["bf16"])
    as_they_come = {name: values for name, values in seconds.items() if "channels_last" not in name}
    ratios["ours_auto_over_best_default"] = common.ratio(_best(as_they_come, "fp32"), ours["bf16"])
    return {"num_images": num, "img_s": img_s, "decode_s": decode, "with_decode": whole, **ratios}


def _best(seconds: dict[str, list[float]], precision: str) -> list[float]:
    """The quickest peer of each turn."""
    peers = [v for name, v in seconds.items() if name.endswith(f"/{precision}") and not name.startswith("translearn/")]
    return [min(turn) for turn in zip(*peers, strict=True)]


def _seconds(decode_s: list[float], name: str, python: str, bf16: bool, folder: str, size: int) -> float:
    """Seconds of an epoch of a peer; what decoding took before it, if anything, is added to the list."""
    peer, _, layout = name.partition("_")
    flags = [*(["--bf16"] if bf16 else []), *(["--channels-last"] if layout else [])]
    command = [python, str(HERE / "step_peers.py"), peer, folder, "--size", str(size), "--threads", str(THREADS)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS)}
    command += ["--batch-size", str(BATCH_SIZE), *flags]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-3000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    decode_s += [found["decode_s"]] if "decode_s" in found else []
    return found["seconds"]


def _has(name: str) -> bool:
    return PYTHON.exists() and not subprocess.run([PYTHON, "-c", f"import {name}"], capture_output=True).returncode


def write_images(folder: Path, size: int, num: int) -> None:
    """JPEG files of blurred noise in ten classes: about as many bytes a pixel as photographs have."""
    random = np.random.default_rng(0)
    for index in range(num):
        coarse = random.integers(0, 256, (size // 8, size // 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
        path = folder / f"class-{index % 10}" / f"{index}.jpg"
        path.parent.mkdir(exist_ok=True)
        image.save(path, quality=90)


if __name__ == "__main__":
    common.run("step", measure, setup)
