"""Leaks, counts and sizes of a stream, against closed forms."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sources import image

from translearn.data.ingest.schema import INSPECTED
from translearn.data.ingest.tally import Tally

SEEN = {"lows": [0] * 3, "highs": [255] * 3, "deep": False, "frames": False}
ROWS = [("t1", "test", "A"), ("v1", "val", "A"), ("v2", "val", "B"), ("v3", "val", "B"), ("r1", "train", "B")]


def _table(rows: list[tuple[str, str, str]], width: int = 8) -> pa.Table:
    columns = {"label": 0, "width": width, "height": 4, "reason": None, **SEEN}
    images = {digest: image(number) for number, digest in enumerate(sorted({digest for *_, digest in rows}))}
    records = [
        {"id": name, "split": split, "digest": digest, "image": images[digest], **columns}
        for name, split, digest in rows
    ]
    return pa.Table.from_pylist(records, schema=INSPECTED)


def test_leaks_name_both_sides_and_duplicates_within_a_split_are_none():
    tally = Tally(drop_leaks=False)
    assert len(tally.kept(_table(ROWS))) == 5
    assert tally.leaks_table().to_pylist() == [
        {"id": "v1", "split": "val", "other_id": "t1", "other_split": "test", "kind": "exact"},
        {"id": "r1", "split": "train", "other_id": "v2", "other_split": "val", "kind": "exact"},
    ]


def test_only_training_images_are_dropped():
    tally = Tally(drop_leaks=True)
    assert tally.kept(_table(ROWS))["id"].to_pylist() == ["t1", "v1", "v2", "v3"]
    assert (tally.leaks_dropped, len(tally.leaks), tally.counts["train", 0]) == (1, 2, 0)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5))
def test_fingerprint_does_not_depend_on_how_the_stream_is_cut(size):
    whole, cut = Tally(False), Tally(False)
    whole.kept(_table(ROWS))
    for start in range(0, len(ROWS), size):
        cut.kept(_table(ROWS[start : start + size]))
    assert whole.fingerprint() == cut.fingerprint()
    other = Tally(False)
    other.kept(_table(ROWS[::-1]))
    assert other.fingerprint() != whole.fingerprint()


@pytest.mark.parametrize("widths", [[5], [3, 9], [4, 4, 7], [1, 2, 3, 10]])
def test_sizes_are_the_spread_of_the_kept_images(widths):
    tally = Tally(False)
    for index, width in enumerate(widths):
        tally.kept(_table([(str(index), "train", str(index))], width))
    sizes = tally.image_sizes()
    expected = (min(widths), int(np.percentile(widths, 50, method="lower")), max(widths))
    assert (sizes.width.min, sizes.width.median, sizes.width.max) == expected
    assert (sizes.height.min, sizes.height.max) == (4, 4)
