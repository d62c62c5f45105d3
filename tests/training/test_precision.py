"""Precision: what ``auto`` stands for on which hardware, and that it is what a network computes in."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
import torch

from translearn.data.images.decode import num_threads
from translearn.errors import InputError
from translearn.training.precision import (
    MIN_COMPILED_STEPS,
    autocast,
    compiled,
    mend_convolutions,
    prepare_process,
    resolve_precision,
)

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def with_cpu(monkeypatch: pytest.MonkeyPatch, avx: bool, amx: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)


def with_gpu(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int]) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")


@pytest.mark.parametrize(
    ("avx", "amx", "auto"),
    [(False, False, "fp32"), (True, False, "bf16"), (False, True, "bf16")],
)
def test_auto_on_a_cpu_is_bf16_where_it_multiplies_bf16(monkeypatch, avx: bool, amx: bool, auto: str) -> None:
    with_cpu(monkeypatch, avx, amx)
    assert resolve_precision("auto", CPU) == auto
    assert [resolve_precision(precision, CPU) for precision in ("fp32", "bf16")] == ["fp32", "bf16"]


@pytest.mark.parametrize(("capability", "auto"), [((7, 5), "fp32"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_auto_on_a_gpu_is_bf16_from_capability_8(monkeypatch, capability: tuple[int, int], auto: str) -> None:
    with_gpu(monkeypatch, capability)
    assert resolve_precision("auto", GPU) == auto
    assert resolve_precision("fp32", GPU) == "fp32"


def test_bf16_on_a_gpu_without_it_is_refused(monkeypatch) -> None:
    with_gpu(monkeypatch, (7, 5))
    with pytest.raises(InputError) as caught:
        resolve_precision("bf16", GPU)
    assert str(caught.value) == (
        "train.precision: must be one that the GPU has, but got bf16 on Tesla T4. Use fp32 or auto."
    )


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_a_layer_computes_in_its_precision(precision: str, dtype: torch.dtype) -> None:
    layer = torch.nn.Linear(2, 2)
    with autocast(precision, CPU):
        assert layer(torch.ones(1, 2)).dtype == dtype
    assert layer.weight.dtype == torch.float32


@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 2, (1, 1)), (3, 2, (4, 1)), (5, 3, (2, 2)), (7, 4, (3, 3))])
def test_strided_convolutions_of_narrow_images_have_the_gradients_of_fp32(
    kernel: int, stride: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(64, 128, kernel, stride, kernel // 2, bias=False)
    x = torch.randn(4, 64, *size).to(memory_format=torch.channels_last)
    mend_convolutions(layer)
    found = {}
    for precision in ("fp32", "bf16"):
        layer.zero_grad()
        with autocast(precision, CPU):
            y = layer(x).float()
        y.sum().backward()
        found[precision] = [y.detach(), layer.weight.grad.clone()]
    for fp32, bf16 in zip(*found.values(), strict=True):
        torch.testing.assert_close(bf16, fp32, rtol=0, atol=0.02 * fp32.abs().max().item())


@pytest.fixture
def threads() -> Iterator[int]:
    before = torch.get_num_threads()
    yield before
    torch.set_num_threads(before)


def test_a_prepared_process_has_so_many_threads(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    prepare_process(threads + 1)
    assert torch.get_num_threads() == threads + 1
    assert num_threads() == min(8, threads + 1)


@pytest.mark.parametrize(
    ("setting", "device", "num_steps", "expected"),
    [
        ("auto", CPU, 10**9, False),
        ("auto", GPU, MIN_COMPILED_STEPS - 1, False),
        ("auto", GPU, MIN_COMPILED_STEPS, True),
        ("never", GPU, 10**9, False),
        ("always", GPU, 1, True),
        ("always", CPU, 1, True),
    ],
)
def test_what_is_compiled(setting: str, device: torch.device, num_steps: int, expected: bool) -> None:
    layer = torch.nn.Linear(2, 2)
    assert (compiled(layer, setting, device, num_steps) is not layer) == expected


def small_network() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 2)
    )


@pytest.mark.slow
def test_a_compiled_network_trains_the_network_itself() -> None:
    plain, network = small_network(), small_network()
    fast = compiled(network, "always", CPU, 1)
    for size in (4, 4, 3):  # the last one is the remainder
        x = torch.randn(size, 3, 6, 6)
        for called, owner in ((plain, plain), (fast, network)):
            loss = called(x).square().sum()
            loss.backward()
            with torch.no_grad():
                for parameter in owner.parameters():
                    parameter -= 0.01 * parameter.grad
                    parameter.grad = None
    assert list(network.state_dict()) == list(plain.state_dict())
    torch.testing.assert_close(network.state_dict(), plain.state_dict(), rtol=1e-4, atol=1e-5)


def test_more_networks_than_torchs_limit_compile_each_shape_once(monkeypatch) -> None:
    graphs: list[object] = []

    def count(graph: torch.fx.GraphModule, _inputs: object) -> object:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=count))
    for width in range(1, 13):
        fast = compiled(torch.nn.Sequential(torch.nn.Linear(2, width)), "always", CPU, 1)
        for size in (4, 4, 3, 4, 3):
            fast(torch.ones(size, 2))
        assert len(graphs) == 2 * width
