"""Augmentation is a function of (seed, epoch, key) and does what it says; the input is normalised as said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as tv

from translearn.data.transforms import MEAN, STD, augment, to_input
from translearn.seeds import derive_seed, uniforms

POLICIES = ["none", "crop", "flip_crop", "resized_crop", "trivial"]
SIZE, SEED, EPOCH = 32, 5, 3


def images(num: int, size: int = SIZE) -> torch.Tensor:
    pixels = np.random.default_rng(0).integers(0, 256, (num, size, size, 3), dtype=np.uint8)
    return torch.from_numpy(pixels)


def keys(num: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2**64, num, dtype=np.uint64)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(POLICIES), st.permutations(range(9)), st.integers(1, 9))
def test_neither_the_order_nor_the_company_of_an_image_matters(policy: str, order: list[int], num: int) -> None:
    rows = np.array(order[:num])
    whole = augment(images(9), keys(9), policy, SEED, EPOCH)
    assert torch.equal(augment(images(9)[rows], keys(9)[rows], policy, SEED, EPOCH), whole[rows])


@pytest.mark.parametrize("policy", POLICIES)
def test_shape_and_dtype_stay_and_an_empty_batch_is_fine(policy: str) -> None:
    before = images(4)
    after = augment(before, keys(4), policy, SEED, EPOCH)
    assert (after.shape, after.dtype) == (before.shape, torch.uint8)
    assert torch.equal(before, images(4)), "the data set's own pixels changed"
    assert to_input(augment(images(0), keys(0), policy, SEED, EPOCH)).shape == (0, 3, SIZE, SIZE)


@pytest.mark.parametrize("policy", POLICIES[1:])
def test_seed_epoch_and_key_each_matter(policy: str) -> None:
    x = images(8)
    first = augment(x, keys(8), policy, SEED, EPOCH)
    others = [(keys(8), SEED + 1, EPOCH), (keys(8), SEED, EPOCH + 1), (keys(8) + np.uint64(1), SEED, EPOCH)]
    assert not any(torch.equal(first, augment(x, key, policy, seed, epoch)) for key, seed, epoch in others)
    assert torch.equal(first, augment(x, keys(8), policy, SEED, EPOCH))


@pytest.mark.parametrize(("num", "size"), [(1, 16), (5, 32), (3, 224)])
def test_the_input_has_the_bits_of_torchvisions_functions(num: int, size: int) -> None:
    x = images(num, size)
    expected = tv.normalize(tv.to_dtype(x.permute(0, 3, 1, 2), torch.float32, scale=True), list(MEAN), list(STD))
    assert torch.equal(to_input(x), expected)
    assert to_input(x).stride() == expected.stride()


def naive_flip_crop(image: np.ndarray, numbers: np.ndarray, flips: bool) -> np.ndarray:
    """Padding by replication, one crop, then a mirror."""
    size, reach = len(image), max(1, round(len(image) / 16))
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    top, left = (int(numbers[index] * (2 * reach + 1)) for index in (1, 2))
    crop = padded[top : top + size, left : left + size]
    return crop[:, ::-1] if flips and numbers[0] < 0.5 else crop


@pytest.mark.parametrize("size", [16, 32, 50, 64])
@pytest.mark.parametrize("policy", ["crop", "flip_crop"])
def test_a_crop_is_pad_then_crop_then_mirror(policy: str, size: int) -> None:
    x = images(40, size)
    numbers = uniforms(keys(40), derive_seed(SEED, "augment", EPOCH), 5)
    expected = [naive_flip_crop(x[i].numpy(), numbers[i], policy == "flip_crop") for i in range(40)]
    assert np.array_equal(augment(x, keys(40), policy, SEED, EPOCH).numpy(), np.stack(expected))


def ramps(num: int) -> torch.Tensor:
    """Images whose red is the column and whose green is the row, in steps that survive rounding."""
    line = torch.arange(SIZE, dtype=torch.uint8) * 8
    red, green = line.expand(SIZE, SIZE), line[:, None].expand(SIZE, SIZE)
    return torch.stack([red, green, red], dim=-1).expand(num, SIZE, SIZE, 3)


def test_half_of_the_images_are_mirrored_and_never_upside_down() -> None:
    for policy in ("flip_crop", "resized_crop"):
        changed = augment(ramps(1000), np.arange(1000, dtype=np.uint64), policy, SEED, EPOCH).int()
        mirrored = changed[:, 16, 0, 0] > changed[:, 16, -1, 0]
        assert 440 < int(mirrored.sum()) < 560  # 3.8 standard deviations
        assert bool((changed[:, 0, 16, 1] < changed[:, -1, 16, 1]).all())
    straight = augment(ramps(100), np.arange(100, dtype=np.uint64), "crop", SEED, EPOCH).int()
    assert bool((straight[:, 16, 0, 0] < straight[:, 16, -1, 0]).all())


def test_crops_reach_every_shift_up_to_a_sixteenth() -> None:
    changed = augment(ramps(500), np.arange(500, dtype=np.uint64), "crop", SEED, EPOCH).int()
    shifts = (changed[:, 16, 16, :2] // 8 - 16).unique(dim=0)
    assert {tuple(shift) for shift in shifts.tolist()} == {(x, y) for x in range(-2, 3) for y in range(-2, 3)}


def test_a_resized_crop_shows_35_to_100_percent_in_the_stated_ratio() -> None:
    changed = augment(ramps(1000), np.arange(1000, dtype=np.uint64), "resized_crop", SEED, EPOCH).float()
    # Away from the edges a ramp of slope 8 has the crop's share of that slope.
    width = (changed[:, 16, 24, 0] - changed[:, 16, 8, 0]).abs() / (16 * 8)
    height = (changed[:, 24, 16, 1] - changed[:, 8, 16, 1]) / (16 * 8)
    area, ratio, slack = width * height, width / height, 0.03
    assert 0.35 - slack < float(area.min()) < 0.4
    assert 0.95 < float(area.max()) <= 1 + slack
    assert 0.75 - slack < float(ratio.min()) < 0.8
    assert 1.25 < float(ratio.max()) < 4 / 3 + slack


def test_a_resized_crop_of_one_colour_is_that_colour() -> None:
    x = torch.full((50, SIZE, SIZE, 3), 255, dtype=torch.uint8)
    assert torch.equal(augment(x, keys(50), "resized_crop", SEED, EPOCH), x)


def test_the_input_is_normalised_and_in_channels_last_memory() -> None:
    x = images(3)
    found = to_input(x)
    expected = (x.permute(0, 3, 1, 2).double() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(
        3, 1, 1
    )
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6)
    assert found.dtype == torch.float32
    assert found.is_contiguous(memory_format=torch.channels_last)
