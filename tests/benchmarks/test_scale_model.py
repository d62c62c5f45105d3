"""The model of many GPUs in cases that have a closed form."""

from __future__ import annotations

import pytest
import scale_model as model


def test_one_gpu_alone_reduces_nothing() -> None:
    assert model.all_reduce_s(1, 1e9, 1e9) == 0


def test_a_node_needs_no_network() -> None:
    assert model.all_reduce_s(8, 1e9, 1e3) == pytest.approx(2 * 7 / 8 * 1e9 / (300e9 * 0.8))


def test_between_two_nodes_each_gpu_sends_its_eighth_once() -> None:
    between = model.all_reduce_s(16, 1e9, 1e6) - model.all_reduce_s(8, 1e9, 1e6)
    assert between == pytest.approx(1e9 / 8 / (1e6 * 0.8))


def test_a_step_without_a_network_to_speak_of_lasts_as_long_as_its_gradients() -> None:
    slow = model.step_s(16, 1.0, 1.0)
    assert slow == pytest.approx(model.all_reduce_s(16, model.GRADIENT_BYTES, 1.0), rel=1e-6)


def test_the_search_takes_as_many_turns_as_it_must() -> None:
    hours = {row["gpus"]: row["search_h"] for row in model.table()}
    assert hours[8] == pytest.approx(32 * hours[256])
    assert hours[256] == pytest.approx(model.TRIAL_IMAGES / model.IMAGES_S / 3600)
