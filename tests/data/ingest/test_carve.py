"""Splits are a function of ids: exact fractions, stable, every class everywhere."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.data.ingest.carve import carve_splits, example_keys, first_per_class

FRACTIONS = {"train": 0.7, "val": 0.15, "test": 0.15}


def _carve(ids: list[str], labels: list[int], splits: list[str]) -> dict[str, str]:
    keys = example_keys(ids)
    carved = carve_splits(keys, np.array(labels), np.array(splits, dtype="<U5"), FRACTIONS)
    return dict(zip(ids, carved.tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-1, 3), min_size=1, max_size=120), st.randoms(use_true_random=False))
def test_carved_splits_are_exact_per_class_and_do_not_depend_on_order(labels, random):
    rows = [(f"{label}/{index}.png", label) for index, label in enumerate(labels)]
    carved = _carve([r[0] for r in rows], labels, ["train"] * len(rows))
    random.shuffle(rows)
    assert _carve([r[0] for r in rows], [r[1] for r in rows], ["train"] * len(rows)) == carved
    for label in set(labels):
        found = [split for name, split in carved.items() if name.startswith(f"{label}/")]
        num = len(found)
        held_out = 0 if label < 0 else min(max(1, round(num * 0.15)), num)
        assert found.count("test") == held_out
        assert found.count("val") == min(held_out, num - held_out)


def test_what_the_source_says_stays_and_the_missing_split_shares_with_train():
    ids = [f"{index}" for index in range(120)]
    carved = _carve(ids, [0] * 120, ["test"] * 20 + ["train"] * 100)
    assert [carved[name] for name in ids[:20]] == ["test"] * 20
    assert list(carved.values()).count("val") == round(100 * 0.15 / 0.85)


def test_limit_takes_the_same_first_examples_whatever_else_is_there():
    ids = [f"{index}" for index in range(50)]
    labels, splits = np.arange(50) % 2, np.array(["train"] * 50)
    few = first_per_class(example_keys(ids), labels, splits, 3)
    more = first_per_class(example_keys(ids), labels, splits, 5)
    assert len(few) == 6
    assert set(few) < set(more)
    assert [int(label) for label in np.bincount(labels[few])] == [3, 3]
