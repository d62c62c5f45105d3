"""What the benchmarks share: options, output, repetition, spread, memory, and which machine it was."""

from __future__ import annotations

import argparse
import inspect
import json
import multiprocessing
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

Measure = Callable[..., dict[str, Any]]


def run(
    name: str,
    measure: Measure,
    setup: Callable[[], None] | None = None,
    more: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """The whole of a benchmark's command line.

    Args:
        name: The benchmark's name.
        measure: Measures, quickly where it is told to, with the options of ``more`` by keyword; what it returns must
            be JSON.
        setup: What ``--setup`` does instead of measuring; without it there is no such option.
        more: Options of this benchmark alone, without their dashes, as ``add_argument`` takes them.
    """
    parser = argparse.ArgumentParser(
        prog=f"benchmarks/{name}.py", description=inspect.getdoc(inspect.getmodule(measure))
    )
    parser.add_argument("--quick", action="store_true", help="fewer and smaller runs: under 2 minutes on 2 cores")
    parser.add_argument("--json", action="store_true", help="the last line is the whole result as one JSON object")
    if setup:
        parser.add_argument("--setup", action="store_true", help="prepare what the benchmark needs, then end")
    for option, settings in (more or {}).items():
        parser.add_argument(f"--{option}", **settings)
    options = parser.parse_args()
    if setup and options.setup:
        setup()
        return
    result = measure(options.quick, **{option: getattr(options, option) for option in more or {}})
    found = {"benchmark": name, "quick": options.quick, "machine": machine(), "versions": versions(), **result}
    for line in lines(found):
        print(line)
    if options.json:
        print(json.dumps(found))


def lines(value: Any, key: str = "") -> Iterator[str]:
    """A result to read: a line a figure, named by its path of keys."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from lines(inner, f"{key}.{name}" if key else str(name))
    else:
        yield f"{key:<40} {value:.4g}" if isinstance(value, float) else f"{key:<40} {value}"


def timed(function: Callable[[], object]) -> float:
    """Seconds of wall time that a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def interleaved(variants: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """What each variant measures, repeatedly, in turn (A B A B ...): a drift of the machine meets all alike."""
    found: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, variant in variants.items():
            found[name].append(variant())
    return found


def spread(values: list[float]) -> dict[str, float]:
    """The median of repeated measurements, the lowest, the highest, and how many there are."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}


def ratio(numerators: list[float], denominators: list[float]) -> dict[str, float]:
    """The spread of the ratios of measurements of the same turn of ``interleaved``."""
    return spread([above / below for above, below in zip(numerators, denominators, strict=True)])


def peak_rss_bytes(pid: int | None = None) -> int:
    """The most memory that a process (this one when None) has had resident. Linux only.

    Not of ``getrusage``: that one counts what the process was before it became this program.
    """
    status = Path(f"/proc/{pid or 'self'}/status").read_text()
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


def anonymous_bytes() -> int:
    """The memory that this process has resident now and that no file is behind: pages of mapped files do not count."""
    return 1024 * int(re.findall(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())[0])


def apart(function: Callable[..., Any], *args: Any) -> tuple[Any, int]:
    """Calls a function in a new process; what it returns, and that process's peak of resident memory in bytes.

    The function and its arguments are pickled; the function is found by its module and name.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        value: tuple[Any, int] = pool.submit(_with_peak, function, *args).result()
        return value


def _with_peak(function: Callable[..., Any], *args: Any) -> tuple[Any, int]:
    return function(*args), peak_rss_bytes()


def machine() -> dict[str, Any]:
    """The processor, the cores this process may use, torch's threads, the GPU or None, memory in bytes."""
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def versions(*more: str) -> dict[str, str | None]:
    """The versions of Python and of packages; None for one that is not installed."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES + more}}


_PACKAGES = ("translearn", "torch", "torchvision", "ray", "numpy", "pyarrow", "pillow")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
