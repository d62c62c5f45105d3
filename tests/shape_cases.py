"""Two steps of training on small random shapes, by one worker or several, for test_small_shapes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from loop_cases import NUM_CLASSES, config, images
from torch import Tensor, nn
from worker_cases import join

from translearn.models.network import build
from translearn.models.weights import fingerprint
from translearn.training.distributed import DistributedContext
from translearn.training.loop import fine_tune

MOST_WORKERS = 3


@dataclass(frozen=True)
class Shape:
    """A run of two steps. ``precision``: ``float64`` too, in which rounding hides nothing."""

    arch: str
    image_size: int
    batch_size: int
    precision: str = "float64"
    drop_path: float | None = None


def trained(shape: Shape, context: DistributedContext | None = None) -> tuple[float, dict[str, Tensor]]:
    """The loss of both steps, and what they changed: parameters by how much, buffers as they are."""
    network = build(shape.arch, NUM_CLASSES, 0, shape.image_size)
    if shape.precision == "float64":
        for module in network.modules():
            if isinstance(module, nn.Conv2d):  # the first ones, of which CrossViT has two
                module.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(),))
        network.double()
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    precision = "fp32" if shape.precision == "float64" else shape.precision
    settings = config(
        lr=1e-3,
        epochs=1,
        batch_size=shape.batch_size,
        precision=precision,
        weight_decay=0.0,
        clip_norm=1.0,
        drop_path=shape.drop_path,
    )
    train = images(2 * shape.batch_size, 0, shape.image_size)
    (result,) = fine_tune(network, train, images(2, 1, shape.image_size), settings, context)
    after = network.state_dict()
    return result.train_loss, {name: after[name] - before.get(name, 0) for name in after}


def _serve(rank: int, orders: Any, results: Any) -> None:
    torch.set_num_threads(1)
    while (order := orders.get()) is not None:
        shape, num_workers, folder = order
        join(rank, num_workers, folder)
        try:
            loss, changes = trained(shape, DistributedContext.joined(torch.device("cpu")))
            if rank == 0:
                torch.save((loss, changes), Path(folder, "first.pt"))
            results.put(fingerprint(changes))
        except Exception as error:
            results.put(f"{type(error).__name__}: {error}")
        finally:
            dist.destroy_process_group()


class Workers:
    """Processes that train shapes together, as many of them as are asked for."""

    def __init__(self) -> None:
        context = mp.get_context("spawn")
        self._orders, self._results = [context.Queue() for _ in range(MOST_WORKERS)], context.Queue()
        self._processes = [
            context.Process(target=_serve, args=(rank, orders, self._results), daemon=True)
            for rank, orders in enumerate(self._orders)
        ]
        for process in self._processes:
            process.start()

    def trained(self, shape: Shape, num_workers: int, folder: Path) -> tuple[float, dict[str, Tensor]]:
        """As ``trained``, on so many workers, which end with the same bits."""
        for orders in self._orders[:num_workers]:
            orders.put((shape, num_workers, str(folder)))
        told = {self._results.get(timeout=600) for _ in range(num_workers)}
        assert len(told) == 1, told
        assert len(next(iter(told))) == 64, told
        found: tuple[float, dict[str, Tensor]] = torch.load(folder / "first.pt")
        return found

    def close(self) -> None:
        for orders in self._orders:
            orders.put(None)
        for process in self._processes:
            process.join()


@contextmanager
def workers() -> Iterator[Workers]:
    found = Workers()
    yield found
    found.close()
