"""Every benchmark runs, and all have the same command line."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
from pathlib import Path

import common
import pytest
import torch

FOLDER = Path(common.__file__).parent
#: Some of the figures that each benchmark must give.
FIGURES = {
    "choosing": ("tables", "fits", "tenth"),
    "ingest": ("img_s", "flat"),
    "loader": ("img_s", "growth"),
    "optimizers": ("mobilenet_v2",),
    "predict": ("img_s", "growth", "flat"),
    "scale": ("efficiency", "model"),
    "search": ("ratio_nested", "ratio_tune_table", "ratio_tune_best"),
    "start": ("model_s", "step_s"),
    "step": ("img_s", "absent"),
    "trial-overhead": ("gap_s_1", "max_actors"),
}


def run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / f"{name}.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", FIGURES)
def test_each_benchmark_runs(name: str) -> None:
    done = run(name, "--quick", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(FIGURES[name]) <= set(found)
    assert found.get("tables_equal", True)
    assert name != "trial-overhead" or 0 < found["max_actors"] <= found["concurrent_trials"]


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_the_gpu_benchmark_says_in_one_line_what_it_needs() -> None:
    done = run("gpu", "--quick", "--json")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "benchmarks/gpu.py: needs a CUDA device\n")


def walk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["walk.py", *options])
    more = {"epochs": {"type": int}}
    common.run("walk", lambda quick, epochs: {"steps": epochs, "pace": {"median": 0.123456}}, print, more)
    return capsys.readouterr().out.splitlines()


def test_the_last_line_of_json_is_the_whole_result(monkeypatch, capsys) -> None:
    found = json.loads(walk(monkeypatch, capsys, "--quick", "--json", "--epochs", "27")[-1])
    assert (found["benchmark"], found["quick"], found["steps"]) == ("walk", True, 27)
    assert set(found["machine"]) == {"cpu", "cores", "threads", "gpu", "memory"}


def test_without_json_there_are_lines_to_read_only(monkeypatch, capsys) -> None:
    assert walk(monkeypatch, capsys)[-1].split() == ["pace.median", "0.1235"]


def test_setup_is_done_instead_of_measuring(monkeypatch, capsys) -> None:
    assert walk(monkeypatch, capsys, "--setup") == [""]


def test_memory_that_no_file_is_behind_grows_with_what_is_made() -> None:
    before = common.anonymous_bytes()
    # New pages: an object may come to lie in memory that this process has freed and kept.
    with mmap.mmap(-1, 2**26, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as made:
        made.write(b"x" * len(made))
        assert common.anonymous_bytes() - before > 0.9 * len(made)


def test_variants_take_turns_and_ratios_are_of_the_same_turn() -> None:
    order: list[str] = []

    def variant(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = common.interleaved({name: lambda name=name: variant(name) for name in "ab"}, repeats=2)
    assert order == ["a", "b", "a", "b"]
    assert found == {"a": [1.0, 3.0], "b": [2.0, 4.0]}
    assert common.ratio([2.0, 30.0, 4.0], [1.0, 10.0, 2.0]) == {"median": 2.0, "min": 2.0, "max": 3.0, "n": 3}


@pytest.mark.slow
def test_a_function_apart_runs_in_another_process_whose_memory_is_told() -> None:
    assert common.apart(os.getpid)[0] != os.getpid()
    small, large = (common.apart(bytes_of, size)[1] for size in (1, 2**28))
    assert large - small > 0.9 * 2**28


def bytes_of(size: int) -> int:
    return len(b"x" * size)
