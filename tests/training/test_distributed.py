"""Several processes are one: the same batches, losses and weights as a worker alone, but for rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from loop_cases import images, source
from torch import nn
from worker_cases import (
    BATCH_SIZES,
    NUM_CHANNELS,
    RUNS,
    SMALL_SHARES,
    batch,
    changed,
    join,
    normalise,
    run,
    shared_batchnorm,
    small_shares,
    work_together,
)

from translearn.training.distributed import DistributedContext, GlobalBatchNorm2d
from translearn.training.inference import loss_and_error

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two processes found."""
    return work_together(2, tmp_path_factory.mktemp("context"))


def check_run(found: dict[str, Any], alone: dict[str, Any], tolerance: float) -> None:
    torch.testing.assert_close(found["curve"], alone["curve"], rtol=tolerance, atol=tolerance)
    assert found["state"].keys() == alone["state"].keys()
    for name, tensor in alone["state"].items():
        difference = (found["state"][name] - tensor).abs().max().item()
        assert difference <= tolerance, name


@pytest.mark.parametrize("name", RUNS)
def test_two_workers_give_the_curve_and_the_weights_of_one(both: list[dict[str, Any]], name: str) -> None:
    alone = run(name, None, exact=True)
    for worker in both:
        check_run(worker[name], alone, 5e-6)  # losses are computed in fp32


@pytest.mark.parametrize("name", SMALL_SHARES)
def test_batchnorm_is_over_the_whole_batch_where_a_share_is_too_small(both: list[dict[str, Any]], name: str) -> None:
    alone = small_shares(name, None)
    for worker in both:
        check_run(worker[name], alone, 5e-6)


def test_in_fp32_workers_differ_by_rounding_that_batchnorm_over_few_values_enlarges(both: list[dict[str, Any]]) -> None:
    alone = run("uneven", None, exact=False)
    for worker in both:
        check_run(worker["fp32"], alone, 1e-2)


def test_workers_share_out_probe_features(both: list[dict[str, Any]]) -> None:
    alone = run("probe", None, exact=False)
    for worker in both:
        check_run(worker["probe"], alone, 1e-5)


@pytest.mark.parametrize("name", [*RUNS, "fp32", "probe", "own_statistics"])
def test_workers_end_with_the_same_bits(both: list[dict[str, Any]], name: str) -> None:
    first, second = (worker[name] for worker in both)
    assert first["curve"] == second["curve"]
    assert all(torch.equal(second["state"][key], tensor) for key, tensor in first["state"].items())


@pytest.mark.parametrize("num", [1, 7, 12])
def test_validation_counts_each_example_once(both: list[dict[str, Any]], num: int) -> None:
    loss, error = loss_and_error(source(), images(num), "fp32", DistributedContext())
    for found in (worker["validation"][num] for worker in both):
        assert found == (pytest.approx(loss, rel=1e-5), error)


def test_every_worker_is_told_of_divergence(both: list[dict[str, Any]]) -> None:
    told = {worker["diverged"] for worker in both}
    assert len(told) == 1
    assert told.pop() == (
        "NonFiniteError: val_loss is nan in epoch 1 at lr 1e+06, freeze depth 0. "
        "A lower learning rate or train.clip_norm helps."
    )


def check_batchnorm(shares: list[dict[str, torch.Tensor]], size: int) -> None:
    """Workers' shares of a batch against torch's layer on the whole of it."""
    expected = normalise(changed(nn.BatchNorm2d(NUM_CHANNELS)), *batch(size))
    for name in ("y", "x"):
        torch.testing.assert_close(torch.cat([share[name] for share in shares]), expected[name], rtol=1e-3, atol=1e-3)
    for name in ("weight", "bias"):
        torch.testing.assert_close(sum(share[name] for share in shares), expected[name], rtol=1e-3, atol=1e-3)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        for share in shares:
            torch.testing.assert_close(share[name], expected[name])


@pytest.mark.parametrize("size", BATCH_SIZES)
def test_shared_batchnorm_is_torchs_over_the_whole_batch(both: list[dict[str, Any]], size: int) -> None:
    check_batchnorm([worker["batchnorm"][size] for worker in both], size)


def test_shared_batchnorm_in_a_group_of_one_is_torchs(tmp_path: Path) -> None:
    join(0, 1, str(tmp_path))
    try:
        for size, found in shared_batchnorm(0, 1).items():
            check_batchnorm([found], size)
    finally:
        dist.destroy_process_group()


def test_shared_batchnorm_in_eval_mode_needs_no_group() -> None:
    shared, plain = GlobalBatchNorm2d(NUM_CHANNELS).eval(), nn.BatchNorm2d(NUM_CHANNELS).eval()
    x, _ = batch(5)
    assert torch.equal(shared(x), plain(x))


def test_a_worker_alone_changes_nothing_about_a_network() -> None:
    network = source()
    DistributedContext().adopt(network)
    assert {type(module) for module in network.modules()} == {type(module) for module in source().modules()}
    assert DistributedContext().parallel(network) is network
    assert DistributedContext().sum(torch.tensor([2.0])).tolist() == [2.0]


@pytest.mark.parametrize("sync", [True, False])
def test_a_team_shares_batchnorm_where_it_is_told_to_and_keeps_every_tensor(sync: bool) -> None:
    network, before = source(), source().state_dict()
    DistributedContext(0, 2, sync_batchnorm=sync).adopt(network)
    kinds = {type(module) for module in network.modules() if isinstance(module, nn.BatchNorm2d)}
    assert kinds == {GlobalBatchNorm2d if sync else nn.BatchNorm2d}
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("place", [0, 1])
def test_two_workers_go_on_from_inside_an_epoch_with_the_same_bits(both: list[dict[str, Any]], place: int) -> None:
    for found in both:
        whole, again = found["in_two_goes"][place]
        assert len(whole) == 2
        assert again == whole
