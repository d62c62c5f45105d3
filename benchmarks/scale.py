"""One fine-tune on 1, 2 and 4 worker processes that share the cores: strong and weak scaling, and communication.

Strong: the global batch stays as it is. Weak: every worker has as much of it as one alone has. The machine's cores are
divided among the workers, so 1 is the ideal speed here, not the number of workers. Communication is the share of
wall time that a worker spends in all-reduce, waiting for the slowest worker included. It is measured in runs of its
own, in which gradients are not reduced while the backward pass goes on, so it is an upper bound.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import common
import numpy as np
import scale_model
import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from translearn.config import TrainSpec
from translearn.data.images.image_set import ImageSet
from translearn.models.network import build
from translearn.training.config import TrainConfig
from translearn.training.distributed import DistributedContext
from translearn.training.loop import fine_tune
from translearn.training.precision import prepare_process

NUM_CLASSES, EPOCHS = 10, 2
WORKERS = (1, 2, 4)


def measure(quick: bool) -> dict[str, Any]:
    """Images per second and the share of communication by number of workers; the model of many GPUs."""
    size, num, batch_size, repeats = (32, 64, 16, 1) if quick else (64, 512, 64, 3)
    cores = len(os.sched_getaffinity(0))
    shares: dict[str, list[float]] = {}
    variants = {
        f"{kind}_{workers}": functools.partial(
            _once, shares, f"{kind}_{workers}", workers, size, num * grown, batch_size * grown, max(1, cores // workers)
        )
        for kind in ("strong", "weak")
        for workers in WORKERS
        for grown in [workers if kind == "weak" else 1]
    }
    img_s = common.interleaved(variants, repeats)
    return {
        "size": size, "num_images": num, "batch_size": batch_size, "precision": "fp32",
        "img_s": {name: common.spread(values) for name, values in img_s.items()},
        "communication": {name: common.spread(values) for name, values in shares.items()},
        "efficiency": {name: common.ratio(values, img_s[f"{name.split('_')[0]}_1"]) for name, values in img_s.items()},
        "model": scale_model.table(),
    }  # fmt: skip


def _once(shares: dict[str, list[float]], name: str, workers: int, *rest: int) -> float:
    """Images per second of an epoch; adds the share of communication, from another run, to the list of its name."""
    shares.setdefault(name, []).append(_together(workers, *rest, True)[1] if workers > 1 else 0.0)
    return _together(workers, *rest, False)[0]


def _together(workers: int, *rest: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        spawn(work, args=(workers, folder, *rest), nprocs=workers)
        rows = [json.loads(path.read_text()) for path in Path(folder).glob("*.json")]
    return min(row["img_s"] for row in rows), float(np.mean([row["share"] for row in rows]))


def work(rank: int, workers: int, folder: str, size: int, num: int, batch: int, threads: int, counted: bool) -> None:
    """One worker: a warm-up epoch, then a timed one."""
    prepare_process(threads)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=workers)
    spent = [0.0]
    if counted:
        dist.all_reduce = _counting(dist.all_reduce, spent)
    train = TrainSpec(batch_size=batch, precision="fp32", schedule="constant", warmup_epochs=0.0)
    config = TrainConfig(0, 0.01, EPOCHS, 0, train)
    context = (CountedContext if counted else DistributedContext)(rank, workers)
    epochs = fine_tune(build("resnet18", NUM_CLASSES, 0), images(num, size), images(workers, size), config, context)
    next(epochs)
    spent[0] = 0.0
    last = next(epochs)
    found = {"img_s": last.images_per_s, "share": spent[0] / last.seconds}
    Path(folder, f"{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


class CountedContext(DistributedContext):
    """A context whose gradients go through ``dist.all_reduce`` in Python too, where it can be timed."""

    def parallel(self, module: nn.Module) -> nn.Module:
        wrapped = super().parallel(module)
        # A lambda, because DDP refuses a function whose annotations are strings.
        cast(DistributedDataParallel, wrapped).register_comm_hook(
            self.num_workers, lambda num, bucket: _averaged(num, bucket)
        )
        return wrapped


def _averaged(num_workers: int, bucket: Any) -> torch.futures.Future[torch.Tensor]:
    gradients: torch.Tensor = bucket.buffer().div_(num_workers)
    dist.all_reduce(gradients)
    done: torch.futures.Future[torch.Tensor] = torch.futures.Future()
    done.set_result(gradients)
    return done


def _counting(call: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        handle = call(*args, **kwargs)
        spent[0] += time.perf_counter() - started
        return handle

    return timed


def images(num: int, size: int) -> ImageSet:
    """Noise: speed does not depend on what is learnt."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (num, size, size, 3), dtype=np.uint8)
    return ImageSet(pixels, np.arange(num) % NUM_CLASSES, np.arange(num, dtype=np.uint64))


if __name__ == "__main__":
    common.run("scale", measure)
