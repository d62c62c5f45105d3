"""Runs in lock-step, on shared and on stored input, give the bits of each run alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from loop_cases import figures, images, recipe, source
from torch import nn

from translearn.boundary import chain, feed
from translearn.errors import NonFiniteLossError
from translearn.models.freeze import trained_state
from translearn.models.network import Network, build
from translearn.training import epoch as lock_step
from translearn.training import step as run
from translearn.training.config import EpochResult, Recipe
from translearn.training.loop import Entrant, fine_tune, fine_tune_together

TRAIN, VAL = images(14), images(7, seed=1)


pytestmark = pytest.mark.usefixtures("one_thread")


def alone(settings: Recipe, network: Network) -> tuple[list[list[float]], dict[str, torch.Tensor]]:
    rows = [figures(result) for result in fine_tune(network, TRAIN, VAL, settings)]
    return rows, trained_state(network, settings.freeze_depth)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    "train", [{"augment": "flip_crop"}, {"augment": "none", "precision": "bf16"}, {"optimizer": "adamw"}]
)
def test_each_run_is_the_one_that_it_would_be_alone(train: dict[str, Any]) -> None:
    settings = [
        recipe(depth, lr=lr, batch_size=6, **train)
        for depth, lr in ((0, 1e-3), (2, 3e-3), (5, 1e-2), (4, 1e-3), (5, 1e-1))
    ]
    expected = [alone(one, source()) for one in settings]
    entrants = [Entrant(source(), one) for one in settings]
    epochs = list(fine_tune_together(entrants, TRAIN, VAL))
    for place, (rows, state) in enumerate(expected):
        assert [figures(results[place]) for results in epochs] == rows
        assert same(trained_state(entrants[place].network, settings[place].freeze_depth), state)
    shared = [result.saved_s for result in epochs[0].values() if isinstance(result, EpochResult)]
    assert min(shared) > 0


def fake_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes in the frozen stages alone, and half a second where pixels become input: 4 s a stem, 1 s a layer."""
    now, run_stages, to_input = [0.0], chain.run, feed.to_input

    def slow_stages(stages: nn.Module, *args: Any) -> Any:
        now[0] += len(list(stages.children()))
        return run_stages(stages, *args)

    def slow_input(pixels: torch.Tensor) -> torch.Tensor:
        now[0] += 0.5
        return to_input(pixels)

    monkeypatch.setattr(chain, "run", slow_stages)
    monkeypatch.setattr(feed, "to_input", slow_input)
    for module in (feed, lock_step, run):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0]))


def test_what_is_saved_is_what_a_run_takes_longer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_clock(monkeypatch)
    settings = [recipe(depth, lr=1e-3, epochs=1, batch_size=6) for depth in (1, 4, 4)]
    alone_s = [next(fine_tune(source(), TRAIN, VAL, one)).seconds for one in settings]
    (results,) = fine_tune_together([Entrant(source(), one) for one in settings], TRAIN, VAL)
    found = [result for result in results.values() if isinstance(result, EpochResult)]
    # Three batches of training and one of validation.
    assert alone_s == [4 * 4.5, 4 * 7.5, 4 * 7.5]
    assert [one.seconds for one in found] == pytest.approx([4 * 1.5, 4 * 3.0, 4 * 3.0])
    assert [one.seconds + one.saved_s for one in found] == pytest.approx(alone_s)
    assert [one.images_per_s for one in found] == pytest.approx([14 / (3 * 1.5), 14 / (3 * 3.0), 14 / (3 * 3.0)])


def test_dropout_is_drawn_for_each_run_by_itself() -> None:
    settings = [recipe(depth, lr=1e-3, batch_size=6) for depth in (3, 5)]
    expected = [alone(one, build("mobilenet_v2", 3, 0)) for one in settings]
    entrants = [Entrant(build("mobilenet_v2", 3, 0), one) for one in settings]
    epochs = list(fine_tune_together(entrants, TRAIN, VAL))
    assert [[figures(results[place]) for results in epochs] for place in (0, 1)] == [rows for rows, _ in expected]


def test_frozen_stages_are_held_in_common() -> None:
    entrants = [Entrant(source(), recipe(depth, epochs=1)) for depth in (2, 4)]
    list(fine_tune_together(entrants, TRAIN, VAL))
    first, second = (entrant.network for entrant in entrants)
    assert first.get_submodule("layer1") is second.get_submodule("layer1")
    assert first.get_submodule("layer2") is not second.get_submodule("layer2")


def test_one_that_diverges_leaves_the_others_alone() -> None:
    good, bad = recipe(3, lr=1e-3, batch_size=6), recipe(1, lr=1e12, batch_size=6)
    expected, _ = alone(good, source())
    epochs = list(fine_tune_together([Entrant(source(), bad), Entrant(source(), good)], TRAIN, VAL))
    assert isinstance(epochs[0][0], NonFiniteLossError)
    assert [list(results) for results in epochs] == [[0, 1], [1]]
    assert [figures(results[1]) for results in epochs] == expected


def test_one_that_is_ahead_waits_for_the_others() -> None:
    settings = [recipe(depth, lr=1e-3, epochs=3, batch_size=6) for depth in (2, 4)]
    results = list(fine_tune_together([Entrant(source(), one) for one in settings], TRAIN, VAL))
    network = source()
    state = next(fine_tune(network, TRAIN, VAL, settings[1])).state()
    again = list(
        fine_tune_together([Entrant(source(), settings[0]), Entrant(source(), settings[1], state)], TRAIN, VAL)
    )
    assert [list(epoch) for epoch in again] == [[0], [0, 1], [0, 1]]
    assert [figures(epoch[1]) for epoch in again[1:]] == [figures(epoch[1]) for epoch in results[1:]]
    assert [figures(epoch[0]) for epoch in again] == [figures(epoch[0]) for epoch in results]


def test_views_repeat_and_differ_from_fresh_augmentation() -> None:
    fresh, two = recipe(5, lr=1e-2, epochs=3, batch_size=6), None
    two = Recipe(5, 1e-2, 3, fresh.seed, fresh.train, views=2)
    many = Recipe(5, 1e-2, 3, fresh.seed, fresh.train, views=3)
    curves = [alone(one, source())[0] for one in (fresh, two, many)]
    assert curves[1][:2] == curves[0][:2]
    assert curves[1][2] != curves[0][2]
    assert curves[2] == curves[0]
