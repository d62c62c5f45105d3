"""The work of the processes of test_distributed; apart from it, because each new process imports this."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from loop_cases import config, curve, figures, images, in_float64, source
from torch import nn

from translearn.data.batches import worker_part
from translearn.training.config import EpochPart, EpochResult
from translearn.training.distributed import DistributedContext, GlobalBatchNorm2d
from translearn.training.inference import loss_and_error
from translearn.training.loop import fine_tune, fine_tune_in_parts

NUM_CHANNELS = 3
# Training and validation images, pixels a side, config: sizes that do not divide, and batches of one.
RUNS: dict[str, tuple[int, int, int, dict[str, Any]]] = {
    "uneven": (13, 7, 32, {"batch_size": 5, "label_smoothing": 0.1, "clip_norm": 1.0}),
    "adamw": (11, 4, 32, {"batch_size": 5, "freeze_depth": 3, "optimizer": "adamw", "lr": 1e-3, "augment": "crop"}),
    "empty_share": (5, 1, 64, {"batch_size": 1, "augment": "resized_crop", "lr": 1e-3}),
    "mixed": (
        13,
        4,
        32,
        {"batch_size": 5, "freeze_depth": 3, "augment": "trivial", "erasing": 0.5, "mixup": 1.0, "cutmix": 1.0},
    ),
    "linear_probe": (13, 7, 32, {"batch_size": 5, "freeze_depth": 5}),
}
#: On probe features, which are fp32.
PROBE = (13, 7, 32, {"batch_size": 5, "freeze_depth": 5, "augment": "none"})
BATCH_SIZES = (5, 2, 1)


def run(name: str, context: DistributedContext | None, exact: bool) -> dict[str, Any]:
    num_train, num_val, size, changes = {**RUNS, "probe": PROBE}[name]
    network = in_float64(source()) if exact else source()
    rows = curve(network, images(num_train, 0, size), images(num_val, 1, size), config(**changes), context=context)
    return {"curve": rows, "state": network.state_dict()}


def normalise(layer: nn.Module, x: torch.Tensor, weights: torch.Tensor) -> dict[str, torch.Tensor]:
    """A layer's output, the gradients of a weighted sum of its squares, and its statistics."""
    x = x.clone().requires_grad_()
    y = layer(x)
    (y.square() * weights).sum().backward()
    parameters = {name: parameter.grad for name, parameter in layer.named_parameters()}
    return {"y": y.detach(), "x": x.grad, **parameters, **dict(layer.named_buffers())}


def batch(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(size)
    shape = (size, NUM_CHANNELS, 4, 4)
    return 100 + torch.randn(shape, generator=generator), torch.rand(shape, generator=generator)


def changed(layer: nn.Module) -> nn.Module:
    """The layer with weights and biases that are not the initial ones."""
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, -1.0, 2.0]))
        layer.bias.copy_(torch.tensor([0.1, 0.2, -3.0]))
    return layer


def shared_batchnorm(rank: int, num_workers: int) -> dict[int, dict[str, torch.Tensor]]:
    found = {}
    for size in BATCH_SIZES:
        rows = torch.from_numpy(worker_part(torch.arange(size).numpy(), rank, num_workers))
        x, weights = batch(size)
        found[size] = normalise(changed(GlobalBatchNorm2d(NUM_CHANNELS)), x[rows], weights[rows])
    return found


#: Training images, pixels a side, config: a worker of two has one image of some batches, or none.
SMALL_SHARES: dict[str, tuple[int, int, dict[str, Any]]] = {
    "one_image": (12, 32, {"batch_size": 3, "lr": 1e-3, "freeze_depth": 4}),
    "no_image": (3, 64, {"batch_size": 1, "lr": 1e-3}),
}


def small_shares(name: str, context: DistributedContext | None) -> dict[str, Any]:
    """A run whose workers would have too few images for BatchNorm statistics of their own."""
    num, size, changes = SMALL_SHARES[name]
    network = in_float64(source())
    rows = curve(network, images(num, 0, size), images(7, 1, size), config(**changes), context=context)
    return {"curve": rows, "state": network.state_dict()}


def own_statistics(rank: int, num_workers: int) -> dict[str, Any]:
    """A run whose workers keep BatchNorm statistics of their own within an epoch."""
    context = DistributedContext(rank, num_workers, sync_batchnorm=False)
    network = source()
    rows = curve(network, images(12), images(7, 1), config(batch_size=6, freeze_depth=2), context=context)
    return {"curve": rows, "state": network.state_dict()}


def in_two_goes(rank: int, num_workers: int, part_steps: int, sync_batchnorm: bool) -> list[list[list[float]]]:
    """The curve of a run in parts, and that of one that goes on from the first worker's state inside an epoch."""
    context = DistributedContext(rank, num_workers, sync_batchnorm=sync_batchnorm)
    given = (images(13), images(7, 1), config(batch_size=5, epochs=2), context)
    whole = list(fine_tune_in_parts(source(), *given, part_steps=part_steps))
    part = next(part for part in fine_tune_in_parts(source(), *given, part_steps=part_steps))
    assert isinstance(part, EpochPart)
    state = context.broadcast(part.state)
    again = fine_tune_in_parts(source(), *given, state, part_steps=part_steps)
    return [[figures(one) for one in results if isinstance(one, EpochResult)] for results in (whole, again)]


def join(rank: int, num_workers: int, folder: str) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=num_workers)


def work(rank: int, num_workers: int, folder: str) -> None:
    """One process: all runs, all batches, and a run that diverges; writes what came out."""
    torch.set_num_threads(1)
    join(rank, num_workers, folder)
    context = DistributedContext.joined(torch.device("cpu"))
    found: dict[str, Any] = {name: run(name, context, exact=True) for name in RUNS}
    found["fp32"] = run("uneven", context, exact=False)
    found["probe"] = run("probe", context, exact=False)
    found["own_statistics"] = own_statistics(rank, num_workers)
    own = DistributedContext(rank, num_workers, sync_batchnorm=False)
    found |= {name: small_shares(name, own) for name in SMALL_SHARES}
    found["in_two_goes"] = [in_two_goes(rank, num_workers, 2, sync) for sync in (True, False)]
    found["batchnorm"] = shared_batchnorm(rank, num_workers)
    found["validation"] = {num: loss_and_error(source(), images(num), "fp32", context) for num in (1, 7, 12)}
    try:
        list(fine_tune(source(), images(8), images(4), config(lr=1e6), context))
    except Exception as error:
        found["diverged"] = f"{type(error).__name__}: {error}"
    torch.save(found, Path(folder, f"{rank}.pt"))
    dist.destroy_process_group()


def work_together(num_workers: int, folder: Path) -> list[dict[str, Any]]:
    """What each of so many processes found."""
    mp.spawn(work, args=(num_workers, str(folder)), nprocs=num_workers)
    return [torch.load(folder / f"{rank}.pt") for rank in range(num_workers)]
