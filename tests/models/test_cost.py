"""The cost of a network: sizes against known ones, and what a measurement says of itself."""

from __future__ import annotations

import pytest
import safetensors.torch
import torch

from translearn.machine import cpu_name
from translearn.models import cost
from translearn.models.cost import Cost, measure, size_of
from translearn.models.network import Network, build

# As torchvision's documentation has them, for 1000 classes.
DOCUMENTED = {"resnet18": 11_689_512, "resnet50": 25_557_032, "mobilenet_v2": 3_504_872}


@pytest.mark.parametrize(("arch", "num"), DOCUMENTED.items())
def test_parameters_are_those_of_the_documentation(arch: str, num: int) -> None:
    found = size_of(arch, 1000, 224)
    assert (found.arch, found.num_parameters) == (arch, num)
    assert (found.latency_ms, found.cpu, found.gpu) == (None, None, None)


@pytest.mark.parametrize("arch", ["resnet18", "timm/test_vit"])
def test_megabytes_are_those_of_a_file_of_the_tensors(arch: str) -> None:
    state = build(arch, 10, 0).resize(64).state_dict()
    content = safetensors.torch.save({name: tensor.contiguous() for name, tensor in state.items()})
    header = 8 + int.from_bytes(content[:8], "little")
    assert size_of(arch, 10, 64).mb == pytest.approx((len(content) - header) / 1e6, rel=1e-12)


def test_a_measurement_names_its_cpu_and_leaves_the_threads_as_they_were() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    found = measure("timm/test_vit", 10, 64, has_gpu=False)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
    assert found.cpu == cpu_name()
    assert found.cpu_latency_ms is not None
    assert found.cpu_images_per_s is not None
    assert found.cpu_latency_ms > 0 < found.cpu_images_per_s
    assert (found.latency_ms, found.device) == (found.cpu_latency_ms, f"one thread of {cpu_name()}")
    assert (found.gpu, found.gpu_latency_ms, found.gpu_images_per_s) == (None, None, None)
    assert found.mb == size_of("timm/test_vit", 10, 64).mb


def test_batches_are_as_large_as_the_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[int] = []

    def limited(_: object, inputs: tuple[torch.Tensor]) -> None:
        passed.append(len(inputs[0]))
        if len(inputs[0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    def small(*options: object) -> Network:
        network = build(*options)  # type: ignore[arg-type]
        network.register_forward_pre_hook(limited)
        return network

    monkeypatch.setattr(cost, "build", small)
    found = measure("timm/test_vit", 10, 64, has_gpu=False)
    assert list(dict.fromkeys(passed)) == [1, 8, 4, 2]
    assert found.cpu_images_per_s is not None
    assert found.cpu_images_per_s > 0


def test_the_latency_is_that_of_the_gpu_where_there_is_one() -> None:
    both = Cost("resnet18", 1, 1.0, "a CPU", 9.0, 100.0, "a GPU", 2.0, 900.0)
    assert (both.latency_ms, both.device) == (2.0, "a GPU")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_measured_too() -> None:
    found = measure("resnet18", 10, 64, has_gpu=True)
    assert found.gpu == torch.cuda.get_device_name()
    assert found.gpu_latency_ms is not None
    assert found.gpu_latency_ms > 0
