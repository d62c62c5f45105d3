"""Learning-rate schedules in closed form, and which optimiser does what to which group."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.config import TrainSpec
from translearn.training.optimizers import lr_factor, make_optimizer

SCHEDULES = ["cosine", "step", "constant"]


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10**6), st.integers(0, 10**6), st.sampled_from(SCHEDULES), st.data())
def test_the_rate_stays_above_zero_and_at_most_at_its_peak(total: int, warmup: int, schedule: str, data) -> None:
    step = data.draw(st.integers(0, total - 1))
    assert 0 < lr_factor(step, total, warmup, schedule) <= 1


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 300), st.integers(0, 400), st.sampled_from(SCHEDULES))
def test_at_most_half_of_the_steps_warm_up_and_then_the_rate_only_falls(total: int, warmup: int, schedule: str) -> None:
    factors = [lr_factor(step, total, warmup, schedule) for step in range(total)]
    peak = factors.index(1.0)
    assert peak == min(warmup, total // 2)
    assert factors[:peak] == [(step + 1) / (peak + 1) for step in range(peak)]
    assert factors[peak:] == sorted(factors[peak:], reverse=True)


def test_cosine_is_half_a_cosine_to_zero_after_the_last_step() -> None:
    found = [lr_factor(step, 14, 4, "cosine") for step in range(4, 14)]
    assert found == pytest.approx([math.cos(math.pi * step / 20) ** 2 for step in range(10)])
    assert lr_factor(9, 14, 4, "cosine") == pytest.approx(0.5)


@pytest.mark.parametrize("third", [1, 2, 23, 1000, 33_333])
def test_step_divides_by_ten_exactly_at_each_third(third: int) -> None:
    warmup, total = 2 * third, 5 * third
    at = {step: lr_factor(step, total, warmup, "step") for step in range(warmup, total)}
    assert all(at[step] == 1 for step in range(warmup, warmup + third))
    assert all(at[step] == pytest.approx(0.1) for step in range(warmup + third, warmup + 2 * third))
    assert all(at[step] == pytest.approx(0.01) for step in range(warmup + 2 * third, total))


def groups() -> list[dict]:
    weight, bias = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    return [{"params": [weight], "weight_decay": 0.5}, {"params": [bias], "weight_decay": 0.0}]


def step_with_gradient_2(optimizer: torch.optim.Optimizer) -> list[float]:
    parameters = [group["params"][0] for group in optimizer.param_groups]
    for parameter in parameters:
        parameter.grad = torch.full((1,), 2.0)
    optimizer.step()
    return [parameter.item() for parameter in parameters]


def test_sgd_has_nesterov_momentum_and_decays_as_each_group_says() -> None:
    optimizer = make_optimizer(groups(), 0.1, TrainSpec(optimizer="sgd", momentum=0.9))
    # Nesterov's first step: (1 + momentum) * (gradient + decay * weight).
    assert step_with_gradient_2(optimizer) == pytest.approx([1 - 0.1 * 1.9 * 2.5, 1 - 0.1 * 1.9 * 2])


def test_sgd_without_momentum_is_plain() -> None:
    optimizer = make_optimizer(groups(), 0.1, TrainSpec(optimizer="sgd", momentum=0.0))
    assert step_with_gradient_2(optimizer) == pytest.approx([1 - 0.1 * 2.5, 1 - 0.1 * 2])


def test_adamw_decays_beside_its_unit_first_step() -> None:
    optimizer = make_optimizer(groups(), 0.1, TrainSpec(optimizer="adamw"))
    assert step_with_gradient_2(optimizer) == pytest.approx([1 - 0.1 * 0.5 - 0.1, 1 - 0.1])


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_of_one_kernel_takes_the_steps_of_sgd_tensor_by_tensor(momentum: float) -> None:
    start, generator = torch.randn(3, 1000, generator=torch.Generator().manual_seed(0)), torch.Generator()
    ends = []
    for make in (
        lambda groups: make_optimizer(groups, 0.1, TrainSpec(optimizer="sgd", momentum=momentum)),
        lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=momentum, nesterov=momentum > 0, foreach=False),
    ):
        weight = torch.nn.Parameter(start.clone())
        optimizer = make([{"params": [weight], "weight_decay": 0.5}])
        generator.manual_seed(1)
        for _ in range(10):
            weight.grad = torch.randn(3, 1000, generator=generator)
            optimizer.step()
        ends.append(weight.detach())
    torch.testing.assert_close(*ends, rtol=1e-5, atol=1e-6)
