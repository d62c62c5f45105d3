"""What benchmarks share, and that each of them has the same command line."""

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
_NAMES = ("choosing", "gpu", "ingest", "loader", "scale", "search", "step", "trial-overhead")
BENCHMARKS = [FOLDER / f"{name}.py" for name in _NAMES]
#: What benchmarks call or import.
_OF_CHOOSING = {f"choosing_{name}" for name in ("figures", "past", "replay", "table", "tasks")}
PARTS = {"common", "made_images", "scale_model", "step_peers"} | _OF_CHOOSING


def test_every_script_is_a_benchmark_or_a_part_of_one() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == {*_NAMES, *PARTS}


@pytest.mark.slow  # each imports torch, most Ray too
@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_each_benchmark_says_what_it_measures_and_takes_quick_and_json(path: Path) -> None:
    done = subprocess.run([sys.executable, str(path), "--help"], capture_output=True, text=True, check=True)
    assert f"benchmarks/{path.stem}.py" in done.stdout
    assert "--quick" in done.stdout
    assert "--json" in done.stdout


def result(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["walk.py", *options])
    common.run("walk", lambda quick: {"steps": 3 if quick else 300, "pace": {"median": 0.123456}})
    return capsys.readouterr().out.splitlines()


def test_the_last_line_of_json_is_the_whole_result(monkeypatch, capsys) -> None:
    found = json.loads(result(monkeypatch, capsys, "--quick", "--json")[-1])
    assert (found["benchmark"], found["quick"], found["steps"]) == ("walk", True, 3)
    assert set(found["machine"]) == {"cpu", "cores", "threads", "gpu", "memory"}
    assert found["versions"]["torch"]


def test_an_option_that_no_benchmark_has_is_refused(monkeypatch, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        result(monkeypatch, capsys, "--qick")
    assert ended.value.code == 2
    assert "unrecognized arguments: --qick" in capsys.readouterr().err


def test_without_json_there_are_lines_to_read_only(monkeypatch, capsys) -> None:
    lines = result(monkeypatch, capsys)
    assert lines[-2].split() == ["steps", "300"]
    assert lines[-1].split() == ["pace.median", "0.1235"]


def test_setup_is_done_instead_of_measuring(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["walk.py", "--setup"])
    common.run("walk", lambda _: {"steps": 1}, setup=lambda: print("ready"))
    assert capsys.readouterr().out == "ready\n"


def test_options_of_a_benchmark_reach_it(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["walk.py", "--epochs", "27"])
    more = {"epochs": {"type": int}, "skip": {"action": "append", "default": []}}
    common.run("walk", lambda quick, epochs, skip: {"steps": epochs, "skip": skip}, more=more)
    assert [line.split() for line in capsys.readouterr().out.splitlines()[-2:]] == [["steps", "27"], ["skip", "[]"]]


def test_memory_that_no_file_is_behind_grows_with_what_is_made() -> None:
    before = common.anonymous_bytes()
    # New pages: an object may come to lie in memory that this process has freed and kept.
    with mmap.mmap(-1, 2**26, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as made:
        made.write(b"x" * len(made))
        assert common.anonymous_bytes() - before > 0.9 * len(made)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_the_gpu_benchmark_says_in_one_line_what_it_needs() -> None:
    command = [sys.executable, str(FOLDER / "gpu.py"), "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "benchmarks/gpu.py: needs a CUDA device\n")


def test_variants_take_turns() -> None:
    order: list[str] = []

    def variant(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = common.interleaved({name: lambda name=name: variant(name) for name in "ab"}, repeats=2)
    assert order == ["a", "b", "a", "b"]
    assert found == {"a": [1.0, 3.0], "b": [2.0, 4.0]}


def test_a_spread_and_a_ratio_of_the_same_turns() -> None:
    assert common.spread([3.0, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0, "n": 3}
    assert common.ratio([2.0, 30.0, 4.0], [1.0, 10.0, 2.0]) == {"median": 2.0, "min": 2.0, "max": 3.0, "n": 3}


def test_a_process_apart_has_the_memory_that_it_took() -> None:
    small, large = (common.apart(bytes_of, size)[1] for size in (1, 2**28))
    assert large - small > 0.9 * 2**28


def test_a_function_apart_runs_in_another_process() -> None:
    assert common.apart(os.getpid)[0] != os.getpid()


def bytes_of(size: int) -> int:
    return len(b"x" * size)
