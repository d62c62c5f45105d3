"""A feed gives what a run alone would compute, bit for bit, whatever else stands in a batch or is stored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from boundary_cases import CPU, DEPTHS, feed, plain, source, split

from translearn.boundary.feed import Feed
from translearn.boundary.layout import to_array
from translearn.models.network import build

ROWS = np.array([5, 0, 17, 3, 3, 11, 8, 2])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("arch", ["resnet18", "mobilenet_v2"])
def test_a_batch_is_the_prefix_of_the_augmented_images_at_every_depth(arch: str, precision: str) -> None:
    data = split(20)
    made = feed(data, arch=arch, precision=precision, augment="flip_crop", seed=7).batch(ROWS, epoch=3)
    assert tuple(made) == DEPTHS
    for depth, boundary in made.items():
        assert torch.equal(boundary, plain(data, ROWS, depth, 3, precision, "flip_crop", arch)), depth
        assert boundary.dtype == (torch.bfloat16 if precision == "bf16" and depth else torch.float32)
        assert not boundary.requires_grad
        assert not boundary.is_inference()
        if boundary.ndim == 4:
            assert boundary.is_contiguous(memory_format=torch.channels_last)
    assert made[5].shape == (8, source(arch).num_features)


@pytest.mark.parametrize("policy", ["none", "crop", "flip_crop", "resized_crop"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_image_has_the_same_bits_in_every_batch(precision: str, policy: str) -> None:
    data = split(20)
    one = feed(data, precision=precision, augment=policy)
    together = one.batch(np.arange(20), epoch=2)
    for rows in (ROWS, ROWS[:1], ROWS[:5], np.arange(19, -1, -1)):
        for depth, boundary in one.batch(rows, epoch=2).items():
            assert torch.equal(boundary, together[depth][torch.from_numpy(rows)]), (depth, len(rows))


def test_without_a_chunk_a_batch_runs_as_it_is() -> None:
    data = split(20)
    boundary = feed(data, chunk=None).batch(ROWS[:1], epoch=1)
    assert torch.equal(boundary[4], plain(data, ROWS[:1], 4, 1, "fp32", "none", "resnet18"))
    padded = feed(data).batch(ROWS[:1], epoch=1)
    assert padded[4].shape == boundary[4].shape
    assert torch.allclose(padded[4], boundary[4], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("chunk", [None, 8])
def test_a_share_without_examples_is_empty_at_every_depth(chunk: int | None) -> None:
    batch = feed(split(9), chunk=chunk).batch(np.arange(0), epoch=1)
    assert [len(boundary) for boundary in batch.values()] == [0] * 6
    assert batch[5].shape == (0, 512)


@pytest.mark.parametrize("stored", [(1,), (4,), (5,), (2, 4), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stored_depth_is_read_and_the_depths_above_start_from_it(precision: str, stored: tuple[int, ...]) -> None:
    data = split(20)
    whole = feed(data, precision=precision).batch(np.arange(20), epoch=1)
    arrays = {depth: to_array(whole[depth]) for depth in stored}
    wanted = (0, 2, 5)
    read = feed(data, wanted, precision=precision, stored=arrays).batch(ROWS, epoch=9)
    assert tuple(read) == wanted
    for depth in wanted:
        assert torch.equal(read[depth], whole[depth][torch.from_numpy(ROWS)]), depth
        assert read[depth].stride() == whole[depth][:8].stride()


def test_what_is_stored_is_really_read() -> None:
    arrays = {3: np.full((20, 4, 4, 128), 2, dtype=np.float32)}
    read = feed(split(20), (3, 4), stored=arrays).batch(ROWS, epoch=1)
    assert bool((read[3] == 2).all())
    assert torch.equal(read[4], source().stages(3, 4)(read[3]))


def test_views_repeat_and_lie_one_after_another() -> None:
    data = split(20)
    options = {"augment": "flip_crop", "seed": 7, "views": 2}
    computed = feed(data, **options)
    whole = [feed(data, augment="flip_crop", seed=7).batch(np.arange(20), epoch) for epoch in (1, 2)]
    arrays = {3: np.concatenate([to_array(view[3]) for view in whole])}
    read = feed(data, stored=arrays, **options)
    for epoch in (1, 2, 3, 4):
        expected = whole[(epoch - 1) % 2]
        for depth in DEPTHS:
            for one in (computed, read):
                assert torch.equal(one.batch(ROWS, epoch)[depth], expected[depth][torch.from_numpy(ROWS)])
    assert not torch.equal(whole[0][3], whole[1][3])


def test_the_frozen_stages_are_in_eval_mode_and_the_rest_is_left_alone() -> None:
    network = build("resnet18", 3, seed=0).train()
    before = network.get_buffer("bn1.running_mean").clone()
    one = Feed(network, (0, 2), split(4), precision="fp32", device=CPU)
    one.batch(np.arange(4), epoch=1)
    assert not network.get_submodule("layer1").training
    assert network.get_submodule("layer2").training
    assert torch.equal(network.get_buffer("bn1.running_mean"), before)
    assert min(one.segments_s.values()) > 0
