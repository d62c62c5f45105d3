"""The workers that train one network together. Models and the loop never mention ranks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

_BATCHNORM = (nn.BatchNorm1d, nn.BatchNorm2d)


@dataclass(frozen=True)
class DistributedContext:
    """The workers of one run, seen by one of them; the default is a worker alone.

    Attributes:
        worker_rank: This worker's number, from 0.
        num_workers: How many there are.
        device: Where this worker computes.
        sync_batchnorm: Whether BatchNorm's statistics are those of the global batch, so that the number of
            workers changes no result (but for rounding).
    """

    worker_rank: int = 0
    num_workers: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    sync_batchnorm: bool = True

    @classmethod
    def joined(cls, device: torch.device, sync_batchnorm: bool = True) -> DistributedContext:
        """Return the context of the torch.distributed process group that this process is in."""
        return cls(dist.get_rank(), dist.get_world_size(), device, sync_batchnorm)

    def adopt(self, network: nn.Module) -> None:
        """Move a network to the device, and make its BatchNorm that of the global batch, in place."""
        network.to(self.device)
        if self.num_workers > 1 and self.sync_batchnorm:
            _replace_batchnorm(network)

    def parallel(self, module: nn.Module) -> nn.Module:
        """Return the module with its gradients averaged over the workers, where there are several."""
        if self.num_workers == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        with warnings.catch_warnings():
            # torch 2.14 has another name for broadcast_buffers, which torch 2.11 does not know.
            warnings.simplefilter("ignore", FutureWarning)
            # Views of buckets never share memory. Else, where a worker has one example, gradients of biases that are
            # added to the same tensor do, and clipping scales them twice.
            return DistributedDataParallel(
                module, device_ids=devices, broadcast_buffers=False, gradient_as_bucket_view=True
            )

    def average_statistics(self, network: nn.Module) -> None:
        """Give all workers the mean of their BatchNorm statistics, where each has its own; frozen ones are equal."""
        if self.num_workers == 1 or self.sync_batchnorm:
            return
        for module in network.modules():
            if isinstance(module, _BATCHNORM) and module.training:
                for statistics in (module.running_mean, module.running_var):
                    assert statistics is not None
                    dist.all_reduce(statistics)
                    statistics /= self.num_workers

    def broadcast(self, find: Callable[[], Any]) -> Any:
        """Return the result of the first worker's ``find`` on every worker, pickled; the others do not call it."""
        found = [find() if self.worker_rank == 0 else None]
        if self.num_workers > 1:
            dist.broadcast_object_list(found)
        return found[0]

    def sum_to_first(self, counts: torch.Tensor) -> torch.Tensor:
        """Return the sum of a tensor over the workers on the first one, and zeros on the others."""
        total = self.sum(counts)
        return total if self.worker_rank == 0 else torch.zeros_like(total)

    def sum(self, counts: torch.Tensor) -> torch.Tensor:
        """Return the sum of a tensor over the workers, on every worker; changes the tensor."""
        if self.num_workers > 1:
            dist.all_reduce(counts)
        return counts


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm over the global batch, on any device and of maps or of flat features. A worker's share may be empty.

    torch's own SyncBatchNorm needs a GPU. Mean first, then the centred squares, so that nothing cancels. The modules
    in it run after it, as timm's layers have their activation inside.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self._over_the_batch(x) if self.training else super().forward(x)
        for module in self.children():
            y = module(y)
        return y

    def _check_input_dim(self, input: torch.Tensor) -> None:  # noqa: A002
        pass

    def _over_the_batch(self, x: torch.Tensor) -> torch.Tensor:
        y = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        shape, rest = (1, -1, *[1] * (y.ndim - 2)), [axis for axis in range(y.ndim) if axis != 1]
        num = _AllReduce.apply(y.new_tensor(y.numel() // y.shape[1]))
        mean = _AllReduce.apply(y.sum(rest)) / num
        centred = y - mean.view(shape)
        variance = _AllReduce.apply(centred.square().sum(rest)) / num
        self._update(mean.detach(), variance.detach(), num)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return torch.as_tensor(centred * scale.view(shape) + self.bias.view(shape)).to(x.dtype)

    def _update(self, mean: torch.Tensor, variance: torch.Tensor, num: torch.Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (num / (num - 1)), self.momentum)


class _AllReduce(torch.autograd.Function):
    """A sum over workers whose gradient is the sum of their gradients."""

    @staticmethod
    def forward(_ctx: Any, tensor: torch.Tensor) -> torch.Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        total = gradient.contiguous()
        dist.all_reduce(total)
        return total


def _replace_batchnorm(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, _BATCHNORM):
            setattr(module, name, _global_batchnorm(child))
        _replace_batchnorm(child)


def _global_batchnorm(old: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module:
    if old.weight.is_cuda and not list(old.children()):
        return cast(nn.Module, nn.SyncBatchNorm.convert_sync_batchnorm(old))
    new = GlobalBatchNorm2d(old.num_features, old.eps, old.momentum)
    new.weight, new.bias = old.weight, old.bias
    new.running_mean, new.running_var = old.running_mean, old.running_var
    new.num_batches_tracked = old.num_batches_tracked
    for name, child in old.named_children():
        new.add_module(name, child)
    return new.train(old.training)
