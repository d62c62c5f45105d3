"""Reading ahead changes neither batches nor their order, and hides no error."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from translearn.data.prefetch import Batch, ahead, read_ahead


def test_on_a_cpu_batches_are_handed_on_as_they_are_and_none_before_it_is_wanted() -> None:
    made: list[Batch] = []

    def batches() -> Iterator[Batch]:
        for index in range(3):
            made.append((torch.full((2,), index), torch.tensor([index])))
            yield made[-1]

    found = ahead(batches(), torch.device("cpu"))
    for index in range(3):
        assert next(found) is made[index]
        assert len(made) == index + 1
    assert list(found) == []


def test_items_come_in_order_and_the_next_is_prepared_while_one_is_in_use() -> None:
    prepared = [threading.Event() for _ in range(50)]

    def prepare(index: int) -> tuple[int, int]:
        prepared[index].set()
        return index, threading.get_ident()

    found = []
    for index, thread in read_ahead(range(50), prepare):
        assert index == 49 or prepared[index + 1].wait(timeout=30)
        assert index >= 48 or not prepared[index + 2].is_set()
        found.append(index)
        assert thread != threading.get_ident()
    assert found == list(range(50))


def test_no_items_are_no_items() -> None:
    assert list(read_ahead([], str)) == []


def test_an_error_comes_in_its_place() -> None:
    found = read_ahead([4, 2, 0, 1], lambda number: 8 // number)
    assert [next(found), next(found)] == [2, 4]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_who_stops_early_leaves_no_thread() -> None:
    before = threading.active_count()
    found = read_ahead(range(10), str)
    next(found)
    found.close()
    assert threading.active_count() == before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_batches_arrive_whole_and_in_order() -> None:
    batches = [(torch.full((256, 256, 3), index, dtype=torch.uint8), torch.tensor([index])) for index in range(20)]
    found = [tuple(tensor.cpu() for tensor in batch) for batch in ahead(batches, torch.device("cuda"))]
    assert all(
        torch.equal(a, b) for one, other in zip(batches, found, strict=True) for a, b in zip(one, other, strict=True)
    )
