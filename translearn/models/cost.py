"""The cost of a network: parameters and bytes, known without memory, and its speed, measured on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from translearn.machine import cpu_name
from translearn.models.network import Network, build, skeleton

#: Of the CPU. One serves an image at a time, so that the figure is of a core, whatever the others do.
THREADS = 1
#: Images of a batch, for images a second; fewer where a GPU's memory holds no more.
BATCH_SIZES = {"cpu": 8, "cuda": 256}
_LEAST, _MOST, _LONG_ENOUGH_S = 5, 50, 0.5


@dataclass(frozen=True)
class Cost:
    """The cost of an architecture with a head for a target's classes, at the size of its images.

    Attributes:
        arch: The architecture.
        num_parameters: Of the backbone and the head.
        mb: Megabytes (10^6 bytes) of its parameters and buffers in fp32, as a file has them.
        cpu: The CPU that the next two were measured on; None where they were not.
        cpu_latency_ms: Milliseconds of one image alone, on one thread: the median of several passes.
        cpu_images_per_s: Images a second in batches of 8, on one thread.
        gpu: The GPU of the next two; None without one.
        gpu_latency_ms: As of the CPU.
        gpu_images_per_s: Likewise, in batches of 256, or of the half, a quarter, ... where its memory holds no more.
    """

    arch: str
    num_parameters: int
    mb: float
    cpu: str | None = None
    cpu_latency_ms: float | None = None
    cpu_images_per_s: float | None = None
    gpu: str | None = None
    gpu_latency_ms: float | None = None
    gpu_images_per_s: float | None = None

    @property
    def latency_ms(self) -> float | None:
        """The latency on the GPU where one was measured, else on the CPU; None where neither was."""
        return self.cpu_latency_ms if self.gpu_latency_ms is None else self.gpu_latency_ms

    @property
    def device(self) -> str:
        """The device that ``latency_ms`` is of, in words."""
        return self.gpu or f"one thread of {self.cpu}"


def size_of(arch: str, num_classes: int, image_size: int) -> Cost:
    """Return what is known of an architecture's cost without memory (device "meta"), at images of a side in pixels."""
    network = skeleton(arch, num_classes, image_size)
    num_bytes = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    return Cost(arch, sum(parameter.numel() for parameter in network.parameters()), num_bytes / 1e6)


def measure(arch: str, num_classes: int, image_size: int, has_gpu: bool) -> Cost:
    """Return the whole cost of an architecture, in fp32, measured on random weights and images.

    Args:
        arch: The architecture.
        num_classes: C of the target.
        image_size: The side of the images, in pixels.
        has_gpu: Whether to measure on this process's GPU too.
    """
    network = build(arch, num_classes, 0).resize(image_size).eval()
    with _threads(THREADS), torch.inference_mode():
        latency_ms, images_per_s = _speed(network, image_size, "cpu")
        found = replace(
            size_of(arch, num_classes, image_size),
            cpu=cpu_name(),
            cpu_latency_ms=latency_ms,
            cpu_images_per_s=images_per_s,
        )
        if not has_gpu:
            return found
        latency_ms, images_per_s = _speed(network.to("cuda"), image_size, "cuda")
    gpu = torch.cuda.get_device_name()
    return replace(found, gpu=gpu, gpu_latency_ms=latency_ms, gpu_images_per_s=images_per_s)


def _speed(network: Network, image_size: int, device: str) -> tuple[float, float]:
    """Return milliseconds of an image alone, and images a second in batches."""
    latency_ms = 1e3 * _median_s(network, 1, image_size, device)
    return latency_ms, _images_per_s(network, BATCH_SIZES[device], image_size, device)


def _images_per_s(network: Network, num: int, image_size: int, device: str) -> float:
    """Return it in batches of so many images, or of fewer where the memory holds no more."""
    try:
        return num / _median_s(network, num, image_size, device)
    except torch.OutOfMemoryError:
        if num == 1:
            raise
        return _images_per_s(network, num // 2, image_size, device)


def _median_s(network: Network, num: int, image_size: int, device: str) -> float:
    x_N3SS = torch.rand(num, 3, image_size, image_size, device=device).to(memory_format=torch.channels_last)

    def run() -> None:
        network(x_N3SS)
        if device == "cuda":
            torch.cuda.synchronize()

    run()  # the first pass chooses kernels
    return statistics.median(_passes(run))


def _passes(run: Callable[[], None]) -> list[float]:
    """Return the seconds of passes: at least 5, and more while they take less than half a second together."""
    found: list[float] = []
    while len(found) < _LEAST or (len(found) < _MOST and sum(found) < _LONG_ENOUGH_S):
        started = time.perf_counter()
        run()
        found.append(time.perf_counter() - started)
    return found


@contextmanager
def _threads(num: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(num)
    try:
        yield
    finally:
        torch.set_num_threads(before)
