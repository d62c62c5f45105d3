"""What is measured is of the right size and kind; how fast this machine is, no test can say."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from boundary_cases import CPU, source, split

from translearn.boundary.measure import measure_chain, measure_rate


@pytest.mark.parametrize(("precision", "item"), [("fp32", 4), ("bf16", 2)])
def test_bytes_are_those_of_the_boundaries_and_all_stages_take_time(precision: str, item: int) -> None:
    network = copy.deepcopy(source()).train()
    found = measure_chain(network, 5, split(20), "crop", precision, CPU, 8)
    assert found.bytes == tuple(item * num for num in (64 * 64, 64 * 64, 128 * 16, 256 * 4, 512))
    assert found.input_s > 0
    assert min(found.stages_s) > 0
    assert found.prefix_s(2) == found.input_s + found.stages_s[0] + found.stages_s[1]
    assert not network.get_submodule("layer4").training


def test_fewer_examples_than_a_chunk_do(tmp_path: Path) -> None:
    assert len(measure_chain(source(), 2, split(1), "none", "fp32", CPU, 64).stages_s) == 2


def test_a_rate_is_positive_and_leaves_no_files(tmp_path: Path) -> None:
    rate = measure_rate(tmp_path, CPU)
    assert rate.read > 0
    assert rate.write > 0
    assert list(tmp_path.iterdir()) == []
