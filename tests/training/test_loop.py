"""The loop: its curve, its resumption bit for bit, the frozen prefix, and what it says when a run diverges."""

from __future__ import annotations

import copy
import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loop_cases import FIGURES, config, curve, figures, golden_csv, images, source

from translearn.errors import NonFiniteError
from translearn.models.freeze import freeze_account
from translearn.models.network import Network
from translearn.training.config import EpochPart, EpochResult
from translearn.training.loop import fine_tune, fine_tune_in_parts

GOLDEN = Path(__file__).parents[1] / "golden/fine_tune.csv"
TRAIN, VAL = images(14), images(7, seed=1)


pytestmark = pytest.mark.usefixtures("one_thread")


def table(text: str) -> list[dict[str, float]]:
    lines = (line for line in io.StringIO(text) if not line.startswith("#"))
    return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(lines)]


def test_the_curve_is_the_golden_one() -> None:
    expected, found = table(GOLDEN.read_text()), table(golden_csv())
    assert [(row["freeze_depth"], row["epoch"]) for row in found] == [(d, e) for d in (0, 3, 5) for e in (1, 2, 3)]
    # In float64, because full fine-tunes in fp32 enlarge the rounding of other hardware to per cents.
    for want, got in zip(expected, found, strict=True):
        assert got == pytest.approx(want, rel=1e-4, abs=1e-6)


def snapshot(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def saved_and_loaded(state: dict[str, Any]) -> dict[str, Any]:
    stream = io.BytesIO()
    torch.save(state, stream)
    return torch.load(io.BytesIO(stream.getvalue()))


@pytest.mark.parametrize("depth", [0, 3, 5])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_run_goes_on_from_any_epoch_with_the_same_bits(optimizer: str, depth: int) -> None:
    settings = config(depth, lr=1e-3, epochs=3, batch_size=5, optimizer=optimizer)
    network, states, rows = source(), [], []
    for result in fine_tune(network, TRAIN, VAL, settings):
        states.append(result.state())
        rows.append(figures(result))
    for state in states[:2]:
        again = source()
        rest = curve(again, TRAIN, VAL, settings, state=saved_and_loaded(state))
        assert rest == rows[state["epoch"] :]
        assert same(again.state_dict(), network.state_dict())
    assert curve(source(), TRAIN, VAL, settings, state=states[2]) == []


def test_a_state_holds_trained_tensors_only_and_later_steps_do_not_change_it() -> None:
    network = source()
    run = fine_tune(network, TRAIN, VAL, config(3, batch_size=5))
    state = next(run).state()
    before = copy.deepcopy(state)
    list(run)
    assert list(state) == ["epoch", "step", "loss", "model", "optimizer"]
    assert tuple(state["model"]) == freeze_account(network, 3).trained
    assert same(state["model"], before["model"])
    momenta = [
        [entry["momentum_buffer"] for entry in saved["optimizer"]["state"].values()] for saved in (state, before)
    ]
    assert all(torch.equal(first, second) for first, second in zip(*momenta, strict=True))
    assert len(momenta[0]) == sum(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("changes", [{}, {"label_smoothing": 0.2, "clip_norm": 0.5, "weight_decay": 0.1}])
@pytest.mark.parametrize("depth", range(6))
def test_training_leaves_the_prefix_as_it_is_and_moves_all_else(depth: int, changes: dict[str, float]) -> None:
    network = source()
    before, account = snapshot(network), freeze_account(network, depth)
    curve(network, images(8), VAL, config(depth, epochs=1, **changes))
    after = network.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == set(account.trained)


def test_two_runs_are_equal_whatever_the_global_random_state() -> None:
    curves = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        curves.append(curve(source(), TRAIN, VAL, config(3)))
    assert curves[0] == curves[1]
    assert curve(source(), TRAIN, VAL, config(3, seed=8)) != curves[0]


@pytest.mark.parametrize("depth", [0, 5])
def test_the_losses_fall_on_an_easy_task(depth: int) -> None:
    rows = [dict(zip(FIGURES, row, strict=True)) for row in curve(source(), images(48), VAL, config(depth, epochs=4))]
    assert rows[-1]["train_loss"] < 0.8 * rows[0]["train_loss"]
    assert rows[-1]["val_loss"] < rows[0]["val_loss"]


def test_a_probes_first_loss_and_step_are_those_of_a_linear_classifier() -> None:
    network, data = source(), images(6)
    settings = config(5, lr=0.1, epochs=1, augment="none", warmup_epochs=0.0, momentum=0.0, weight_decay=0.0)
    head = copy.deepcopy(network.head)
    with torch.no_grad():
        x = torch.from_numpy(data.images).permute(0, 3, 1, 2) / 255
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        features = network.eval().features((x - mean) / std)
    loss = torch.nn.functional.cross_entropy(head(features), torch.from_numpy(data.labels))
    loss.backward()
    ((_, train_loss, _, _, lr),) = curve(network, data, VAL, settings)
    assert lr == 0.1
    assert train_loss == pytest.approx(loss.item(), rel=1e-4)
    torch.testing.assert_close(network.head.weight, head.weight - 0.1 * head.weight.grad, rtol=1e-4, atol=1e-5)


def test_a_small_layer_decay_trains_little_but_the_head() -> None:
    moved = {}
    for decay in (1.0, 1e-3):
        network, before = source(), source().state_dict()
        settings = config(0, lr=0.01, epochs=1, layer_decay=decay, weight_decay=0.0)
        curve(network, images(8), VAL, settings)
        moved[decay] = {
            name: (network.get_parameter(name) - before[name]).norm().item()
            for name in ("fc.weight", "layer4.1.conv2.weight")
        }
    assert moved[1e-3]["layer4.1.conv2.weight"] < 0.01 * moved[1.0]["layer4.1.conv2.weight"]
    assert moved[1e-3]["fc.weight"] == pytest.approx(moved[1.0]["fc.weight"], rel=0.3)


def test_figures_of_an_epoch() -> None:
    settings = config(5, lr=0.1, epochs=3, batch_size=4, warmup_epochs=1.0)
    results = list(fine_tune(source(), images(11), VAL, settings))  # 3 steps an epoch: 4, 4 and 3 images
    assert [result.epoch for result in results] == [1, 2, 3]
    last_steps = [3 / 4, math.cos(math.pi * 2 / 12) ** 2, math.cos(math.pi * 5 / 12) ** 2]
    assert [result.lr for result in results] == pytest.approx([0.1 * factor for factor in last_steps])
    assert all(result.val_error * 7 == pytest.approx(round(result.val_error * 7)) for result in results)
    assert all(result.seconds > 0 and result.images_per_s >= 11 / result.seconds for result in results)


@pytest.mark.parametrize(("depth", "lr"), [(0, 1e6), (5, 1e38)])
def test_a_run_that_diverges_says_so(depth: int, lr: float) -> None:
    with pytest.raises(NonFiniteError) as caught:
        curve(source(), images(24), VAL, config(depth, lr=lr, epochs=3))
    where = f"in epoch {caught.value.epoch} at lr {lr:g}, freeze depth {depth}"
    remedy = "A lower learning rate or train.clip_norm helps."
    losses = [f"{name} is {value}" for name in ("train_loss", "val_loss") for value in ("nan", "inf")]
    assert str(caught.value) in [f"{loss} {where}. {remedy}" for loss in losses]
    assert caught.value.epoch in (1, 2, 3)


def test_a_tensor_that_is_not_finite_fails_the_run_though_losses_are_finite() -> None:
    network, two_classes = source(), np.array([0, 1, 3, 4])
    with torch.no_grad():
        network.head.bias[2] = -math.inf  # no image has this class
    with pytest.raises(NonFiniteError) as caught:
        curve(network, TRAIN.view(two_classes), VAL.view(two_classes), config(5, lr=1e-3))
    assert str(caught.value) == (
        "fc.bias holds NaN or infinity in epoch 1 at lr 0.001, freeze depth 5. "
        "A lower learning rate or train.clip_norm helps."
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_weights_that_meet_nothing_but_padding_stay_what_they_are(precision: str) -> None:
    """Of images of 16 pixels the last stage has maps of one value: the outer columns of its first kernel see none."""
    network, train = source(), images(14, size=16)
    before = network.get_parameter("layer4.0.conv1.weight").detach().clone()
    curve(network, train, train, config(lr=1e-2, epochs=1, precision=precision, weight_decay=0.0, augment="none"))
    after = network.get_parameter("layer4.0.conv1.weight").detach()
    assert torch.equal(after[..., [0, 2]], before[..., [0, 2]])
    assert not torch.equal(after, before)


def test_each_augmentation_runs_and_gives_a_curve_of_its_own() -> None:
    ways: list[dict[str, Any]] = [
        {"augment": name} for name in ("none", "crop", "flip_crop", "resized_crop", "trivial")
    ]
    ways += [{"augment": "none", name: 1.0} for name in ("erasing", "mixup", "cutmix")] + [
        {"mixup": 1.0, "cutmix": 1.0}
    ]
    curves = [curve(source(), images(9), VAL, config(3, epochs=1, **way)) for way in ways]
    assert all(curves.count(rows) == 1 for rows in curves)


def test_bf16_gives_nearly_the_curve_of_fp32() -> None:
    fp32, bf16 = (
        curve(source(), images(9), VAL, config(5, epochs=2, precision=precision)) for precision in ("fp32", "bf16")
    )
    assert fp32 != bf16
    assert bf16[1][1:3] == pytest.approx(fp32[1][1:3], rel=0.1)


@pytest.mark.parametrize(
    ("optimizer", "depth"),
    [("sgd", 0), ("adamw", 3), *(pytest.param(*one, marks=pytest.mark.slow) for one in (("sgd", 3), ("adamw", 0)))],
)
def test_a_run_goes_on_from_inside_an_epoch_with_the_same_bits(optimizer: str, depth: int) -> None:
    changes = {"augment": "trivial", "erasing": 0.5, "mixup": 0.2, "cutmix": 1.0}
    settings = config(depth, lr=1e-3, epochs=2, batch_size=3, optimizer=optimizer, **changes)  # 5 steps
    plain, rows = source(), []
    for result in fine_tune(plain, TRAIN, VAL, settings):
        rows.append(figures(result))
    whole, parts, places = source(), [], []
    for result in fine_tune_in_parts(whole, TRAIN, VAL, settings, part_steps=3):
        if isinstance(result, EpochPart):
            places.append((result.epoch, result.step))
            parts.append(saved_and_loaded(result.state()))
    assert places == [(1, 3), (2, 3)]
    assert same(snapshot(whole), snapshot(plain))
    for (epoch, step), state in zip(places, parts, strict=True):
        assert (state["epoch"], state["step"]) == (epoch - 1, step)
        again = source()
        left = [figures(result) for result in fine_tune(again, TRAIN, VAL, settings, state=state)]
        assert left == rows[epoch - 1 :]
        assert same(snapshot(again), snapshot(plain))


def test_no_part_ends_where_its_epoch_does() -> None:
    results = list(fine_tune_in_parts(source(), images(12), VAL, config(epochs=1, batch_size=3), part_steps=4))
    assert [type(result) for result in results] == [EpochResult]
