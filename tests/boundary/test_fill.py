"""Processes fill a boundary together; one that is killed loses nothing but its own unit, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cache_cases import SEVERAL_UNITS, cache, digest, stored

from translearn.boundary.fill import units

SCRIPT = Path(__file__).with_name("cache_cases.py")


def worker(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def line(process: subprocess.Popen[str], wanted: str) -> list[str]:
    """The words of the first line that begins so."""
    assert process.stdout is not None
    return next(words for words in map(str.split, process.stdout) if words[0] == wanted)


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_two_processes_compute_each_unit_once_and_read_the_same_bits(tmp_path: Path) -> None:
    processes = [worker(tmp_path), worker(tmp_path)]
    for process in processes:
        line(process, "ready")
    for process in processes:
        go(process)
    told = [line(process, "done") for process in processes]
    computed = [int(words[1]) for words in told]
    assert sum(computed) == 1060
    assert min(computed) > 0, "one process did everything"
    assert told[0][2] == told[1][2]
    for process in processes:
        process.communicate("")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_is_replaced_and_swept(tmp_path: Path) -> None:
    first = worker(tmp_path)
    go(first)
    line(first, "filling")
    line(first, "filling")  # one unit is done, the next is not
    first.send_signal(signal.SIGKILL)
    first.wait()
    left = {path.name for path in (tmp_path / "memory").iterdir()}
    assert len(left) == 3, "its lock file and two boundaries"
    second = worker(tmp_path)
    go(second)
    words = line(second, "done")
    assert int(words[1]) == 1060, "what a dead process left is not read"
    second.communicate("")
    assert list(tmp_path.iterdir()) == []


def test_the_living_go_on_where_a_killed_process_was(tmp_path: Path) -> None:
    first = worker(tmp_path)
    line(first, "ready")
    one = cache(tmp_path)  # holds the folder, so that nothing is swept
    go(first)
    line(first, "filling")
    line(first, "filling")
    first.send_signal(signal.SIGKILL)
    first.wait()
    found = stored(one, **SEVERAL_UNITS)
    whole = stored(one, **SEVERAL_UNITS, data_key="again")
    assert digest(found) == digest(whole)
    one.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("chunk", [None, 1, 32, 100, 256, 300])
@pytest.mark.parametrize("num", [1, 256, 257, 1000])
def test_units_are_all_rows_of_each_view_in_whole_chunks(num: int, chunk: int | None) -> None:
    made = units(num, 2, chunk)
    rows = np.concatenate([unit.view * num + unit.rows for unit in made])
    assert np.array_equal(rows, np.arange(2 * num))
    assert len({unit.name for unit in made}) == len(made)
    if chunk:
        assert all(len(unit.rows) % chunk == 0 for unit in made if unit.rows[-1] != num - 1)
    else:
        assert all(unit.rows[0] % 256 == 0 for unit in made), "the blocks of inference"
