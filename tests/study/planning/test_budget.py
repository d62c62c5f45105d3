"""How many steps are enough, and what takes the place of ``auto``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translearn.config import StudySpec, parse_spec
from translearn.data.batches import num_steps
from translearn.study.directory import dump_spec
from translearn.study.planning.budget import (
    auto_batch_size,
    budget_of,
    enough_steps,
    few_steps,
    pretrain_batch_size,
    with_budget,
)


def study(**sections: Any) -> StudySpec:
    source = {"name": "a", "arch": "resnet18", "pretrain": {"data": "sklearn:digits"}}
    return parse_spec({"name": "pets", "target": {"data": "sklearn:digits"}, "sources": [source], **sections})


@pytest.mark.parametrize(
    ("num", "steps"), [(1, 500), (19_999, 500), (20_000, 10_000), (499_999, 10_000), (500_000, 20_000), (10**7, 20_000)]
)
def test_enough_steps_are_those_of_bit(num: int, steps: int) -> None:
    assert enough_steps(num) == steps


@given(st.integers(2, 3_000_000))
def test_auto_has_enough_steps_in_batches_of_an_eighth_and_hardly_more(num: int) -> None:
    spec = with_budget(study(), num)
    steps, batch_size = num_steps(num, spec.train.batch_size), spec.train.batch_size
    assert batch_size == auto_batch_size(num)
    assert batch_size <= min(512, max(8, num / 8))
    assert spec.search.epochs == spec.refit.epochs
    assert enough_steps(num) <= spec.refit.epochs * steps < enough_steps(num) + steps
    assert few_steps(spec, num) == []


def test_what_the_file_says_stays_and_refits_are_no_shorter_than_trials() -> None:
    given = with_budget(study(search={"epochs": 900}, train={"batch_size": 20}), 200)
    assert (given.train.batch_size, given.search.epochs, given.refit.epochs) == (20, 900, 900)
    assert with_budget(study(search={"epochs": 3}, refit={"epochs": 7}), 200).refit.epochs == 7
    assert with_budget(study(search={"epochs": 3}, train={"batch_size": 20}), 200).refit.epochs == 50


def test_a_pre_training_has_a_batch_size_by_its_own_images() -> None:
    spec = study()
    assert pretrain_batch_size(spec.sources[0], spec, 1000) == 125
    assert pretrain_batch_size(spec.sources[0], study(train={"batch_size": 20}), 1000) == 20


def test_few_steps_are_warned_of_with_the_number_that_would_do() -> None:
    spec = with_budget(study(search={"epochs": 8}, train={"batch_size": 50}), 220)
    assert few_steps(spec, 220) == [
        "search.epochs: 8 epochs are 40 steps, few for 220 training images: scratch may not have learned by then. "
        "100 epochs (500 steps) would do, as auto sets them."
    ]
    assert budget_of(spec, 220)["warnings"] == few_steps(spec, 220)
    one = few_steps(with_budget(study(search={"epochs": 1}, train={"batch_size": 50}), 4), 4)
    assert one[0].startswith("search.epochs: 1 epoch is 1 step, few for 4 training images")


def test_the_file_that_is_kept_says_auto() -> None:
    text = dump_spec(study())
    assert text.count("epochs: auto") == 2
    assert "batch_size: auto" in text
