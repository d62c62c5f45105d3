"""Arrays on disk: the same elements as the array in memory, whatever the chunks; markers; little memory."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from translearn.data.images.mapped import is_mapped, open_mapped, write_mapped
from translearn.errors import StorageError

ARRAY = np.random.default_rng(0).integers(0, 256, (23, 4, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize("cuts", [[], [7], [1, 2, 20], [0, 23]])
@given(rows=st.lists(st.integers(0, 22), max_size=40))
def test_any_rows_in_any_order_are_those_of_the_array(tmp_path_factory, cuts, rows):
    mapped = write_mapped(tmp_path_factory.mktemp("mapped"), np.split(ARRAY, cuts))
    index = np.array(rows, dtype=np.int64)
    assert np.array_equal(mapped[index], ARRAY[index])
    assert (mapped.shape, mapped.dtype, mapped.ndim, len(mapped)) == (ARRAY.shape, ARRAY.dtype, 4, 23)
    assert mapped.nbytes == ARRAY.nbytes


@pytest.mark.parametrize("rows", [slice(None), slice(5, 9), slice(20, 3, -4), np.arange(23) % 2 == 0])
def test_slices_and_masks(tmp_path, rows):
    mapped = write_mapped(tmp_path, np.split(ARRAY, [10]))
    assert np.array_equal(mapped[rows], ARRAY[rows])


@pytest.mark.parametrize("row", [-1, 23])
def test_rows_outside_are_an_error_and_never_another_row(tmp_path, row):
    mapped = write_mapped(tmp_path, [ARRAY])
    with pytest.raises(IndexError, match=re.escape(f"rows must be in [0, 23), but are in [{row}, {row}]")):
        mapped[np.array([row])]


def test_bfloat16_travels_as_uint16_with_its_bits(tmp_path):
    x = torch.randn(6, 5).to(torch.bfloat16)
    mapped = write_mapped(tmp_path, [x.view(torch.uint16).numpy()])
    assert torch.equal(torch.from_numpy(mapped[np.arange(6)]).view(torch.bfloat16), x)


def test_what_is_read_is_the_readers_own(tmp_path):
    mapped = write_mapped(tmp_path, [ARRAY])
    mapped[np.array([3])][:] = 0
    assert np.array_equal(mapped[slice(None)], ARRAY)


def test_a_writer_that_broke_off_leaves_no_array_and_the_next_one_replaces_it(tmp_path):
    def broken():
        yield ARRAY[:9]
        raise KeyboardInterrupt

    write_mapped(tmp_path, [ARRAY[::-1]])
    with pytest.raises(KeyboardInterrupt):
        write_mapped(tmp_path, broken())
    assert not is_mapped(tmp_path)
    with pytest.raises(StorageError) as error:
        open_mapped(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: must hold mapped.json, written last, but got none. Write the array again."
    )
    assert np.array_equal(write_mapped(tmp_path, [ARRAY])[slice(None)], ARRAY)


def test_a_disk_that_refuses_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/a: cannot be written \(.*\)\. Free space on this disk\."):
        write_mapped(tmp_path / "file" / "a", [ARRAY])


def test_it_pickles_as_a_path(tmp_path):
    mapped = write_mapped(tmp_path, np.split(ARRAY, [10]))
    assert np.array_equal(mapped[slice(None)], ARRAY)  # mapped already
    content = pickle.dumps(mapped)
    assert len(content) < 600
    assert np.array_equal(pickle.loads(content)[slice(None)], ARRAY)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have neither /proc nor a limit of the heap")
def test_memory_of_writer_and_of_readers_does_not_grow_with_the_array(tmp_path):
    """256 MiB under a limit of the heap that 64 MiB more would break; mapped files do not count as heap."""
    script = """
import resource, sys, pathlib, numpy as np
from translearn.data.images.mapped import write_mapped
resource.setrlimit(resource.RLIMIT_DATA, (int(resource_used()) + 64 * 2**20,) * 2)
mapped = write_mapped(pathlib.Path(sys.argv[1]), (np.full((4, 2**20), n, np.uint8) for n in range(64)))
print(mapped[np.array([0, 255, 100])][:, 7].tolist())
"""
    used = 'resource_used = lambda: 1024 * int(open("/proc/self/status").read().split("VmData:")[1].split()[0])'
    command = [sys.executable, "-c", used + script, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[0, 63, 25]"
