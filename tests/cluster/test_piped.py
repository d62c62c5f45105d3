"""Arrays of any lengths to arrays of others. No Ray is started."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from translearn.cluster.data.piped import piped, reblocked
from translearn.data.images.image_set import ImageSet

LENGTHS = st.lists(st.integers(0, 9), max_size=12)


@given(come=LENGTHS, wanted=LENGTHS)
def test_rows_keep_their_order_whatever_the_lengths(come: list[int], wanted: list[int]) -> None:
    total = sum(come)
    rows = np.arange(total * 2, dtype=np.uint8).reshape(total, 2)
    wanted = [length for number, length in enumerate(wanted) if sum(wanted[: number + 1]) <= total]
    found = list(reblocked(np.split(rows, np.cumsum(come)[:-1]) if come else [], wanted, (2,)))
    assert [len(block) for block in found] == wanted
    assert np.array_equal(np.concatenate([np.empty((0, 2), np.uint8), *found]), rows[: sum(wanted)])


def test_blocks_are_copies_that_may_be_written_to() -> None:
    source = np.zeros((4, 1), dtype=np.uint8)
    source.flags.writeable = False
    (block,) = reblocked([source], [4], (1,))
    block += 1
    assert not source.any()


def test_images_that_are_at_hand_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("translearn.cluster.data.piped._MIN_IMAGES", 1)
    images = ImageSet(np.zeros((2, 8, 8, 3), np.uint8), np.zeros(2, np.int64), np.zeros(2, np.uint64))
    assert piped(images) is images
