"""Erasing, mixup and cutmix: rectangles and shares as stated, labels as images are, and any part of a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from translearn.data.batches import worker_part, worker_part_and_next
from translearn.data.mixing import Mixing, erase

SIZE, SEED, EPOCH, C = 32, 5, 3, 4
GREY = torch.tensor([124, 116, 104], dtype=torch.uint8)


def keys(num: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2**64, num, dtype=np.uint64)


def white(num: int) -> torch.Tensor:
    return torch.full((num, SIZE, SIZE, 3), 255, dtype=torch.uint8)


def test_so_many_images_lose_one_rectangle_of_the_stated_size() -> None:
    found = erase(white(2000), keys(2000), 0.25, SEED, EPOCH)
    erased = (found == GREY).all(-1)
    assert bool(((found == 255).all(-1) | erased).all())
    has = erased.flatten(1).any(1)
    assert float(has.double().mean()) == pytest.approx(0.25, abs=0.04)
    rows, columns = erased[has].any(2), erased[has].any(1)
    assert torch.equal(erased[has], rows[:, :, None] & columns[:, None, :])
    height, width = rows.sum(1).double(), columns.sum(1).double()
    assert bool((rows.int().diff(dim=1).abs().sum(1) <= 2).all())  # in one piece
    area = height * width / SIZE**2
    assert 0.01 < float(area.min()) < 0.04
    assert 0.3 < float(area.max()) < 0.37
    assert 0.25 < float((height / width).min()) < 0.4
    assert 2.5 < float((height / width).max()) < 4
    assert int(rows[:, 0].sum()) > 5 < int(rows[:, -1].sum())


def test_erasing_is_a_function_of_seed_epoch_and_key_and_leaves_the_data_alone() -> None:
    plain = white(6)
    first = erase(plain, keys(6), 1.0, SEED, EPOCH)
    assert torch.equal(plain, white(6))
    rows = np.array([4, 0, 4])
    assert torch.equal(erase(plain[rows], keys(6)[rows], 1.0, SEED, EPOCH), first[rows])
    for key, seed, epoch in [(keys(6) + np.uint64(1), SEED, EPOCH), (keys(6), 6, EPOCH), (keys(6), SEED, 4)]:
        assert not torch.equal(erase(plain, key, 1.0, seed, epoch), first)
    assert torch.equal(erase(plain, keys(6), 0.0, SEED, EPOCH), plain)
    assert len(erase(white(0), keys(0), 1.0, SEED, EPOCH)) == 0


def mixed(num: int, rank: int = 0, num_workers: int = 1, **settings: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Of a batch of images that are all n in channel n of their class, n = 1, 2, ..."""
    rows = worker_part_and_next(np.arange(num), rank, num_workers)
    labels = torch.from_numpy(rows % C)
    x = torch.from_numpy(rows + 1.0).float()[:, None, None, None].expand(-1, 3, SIZE, SIZE)
    mixing = Mixing(**{"mixup": 0.0, "cutmix": 0.0, **settings}, num_classes=C, seed=SEED)
    ((x, targets),) = mixing.batches([(x, labels)], [keys(num)[rows]], EPOCH)
    return x, targets


def test_mixup_adds_images_and_labels_in_one_ratio() -> None:
    x, targets = mixed(1000, mixup=1.0)
    assert torch.equal(x.amin((1, 2, 3)), x.amax((1, 2, 3)))
    n = torch.arange(1000)
    own = targets[n, n % C]
    torch.testing.assert_close(own + targets[n, (n + 1) % C], torch.ones(1000))
    expected = own * (n + 1) + (1 - own) * ((n + 1) % 1000 + 1)
    torch.testing.assert_close(x[:, 0, 0, 0], expected, rtol=1e-5, atol=1e-3)
    counts = torch.histc(own, 10, 0, 1)  # Beta(1, 1) is even
    assert float(((counts - 100) ** 2 / 100).sum()) < 27.9  # chi-squared, 9 degrees of freedom, p = 0.001


def test_a_small_parameter_leaves_most_examples_nearly_pure() -> None:
    _, targets = mixed(1000, mixup=0.1)
    assert float((targets.amax(1) > 0.9).float().mean()) > 0.7


def test_cutmix_pastes_a_rectangle_and_labels_say_how_much_of_it() -> None:
    x, targets = mixed(500, cutmix=1.0)
    n = torch.arange(500)
    own = x == (n + 1)[:, None, None, None]
    pasted = x == ((n + 1) % 500 + 1)[:, None, None, None]
    assert bool((own ^ pasted).all())
    torch.testing.assert_close(targets[n, n % C], own.float().mean((1, 2, 3)))
    of_channel = pasted[:, 0]
    assert torch.equal(of_channel, of_channel.any(2)[:, :, None] & of_channel.any(1)[:, None, :])
    share = own.float().mean((1, 2, 3))
    assert 0.55 < float(share.mean()) < 0.8  # more than half, because rectangles are cut off at the edges
    assert float(share.min()) < 0.2


def test_with_both_an_example_has_one_of_them() -> None:
    x, _ = mixed(1000, mixup=1.0, cutmix=1.0)
    is_mixup = (x.amin((1, 2, 3)) == x.amax((1, 2, 3))) & (x[:, 0, 0, 0] % 1 != 0)
    assert 430 < int(is_mixup.sum()) < 570


@pytest.mark.parametrize("num", [1, 2, 7])
@pytest.mark.parametrize("num_workers", [2, 3])
def test_workers_mix_what_one_alone_mixes(num: int, num_workers: int) -> None:
    whole, parts = (
        mixed(num, mixup=1.0, cutmix=1.0),
        [mixed(num, rank, num_workers, mixup=1.0, cutmix=1.0) for rank in range(num_workers)],
    )
    for expected, found in zip(whole, zip(*parts, strict=True), strict=True):
        assert torch.equal(torch.cat(found), expected)
    sizes = [len(worker_part(np.arange(num), rank, num_workers)) for rank in range(num_workers)]
    assert [len(x) for x, _ in parts] == sizes
