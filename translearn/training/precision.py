"""Precision of computation, declared and recorded, and the meaning of ``auto`` on a device."""

from __future__ import annotations

import ctypes
import os
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
from torch import nn

from translearn.errors import InputError, fault
from translearn.machine import end_quickly

#: From this length on ``auto`` compiles. Assumed, not measured: a minute of compiling, 6 ms saved a step.
MIN_COMPILED_STEPS = 10_000
#: M_MMAP_THRESHOLD (its maximum, 32 MiB), M_TRIM_THRESHOLD and M_TOP_PAD of malloc.h.
_MALLOC = {-3: 32 * 2**20, -1: 2**31 - 1, -2: 2**28}


def resolve_precision(precision: str, device: torch.device) -> str:
    """``fp32`` or ``bf16``: what ``auto`` means on a device.

    ``auto`` is bf16 where the hardware multiplies it (CPUs with AVX512-BF16 or AMX, GPUs from compute
    capability 8.0), else fp32.

    Raises:
        InputError: bf16 was asked for on a GPU that has none.
    """
    native = _has_bf16(device)
    if precision == "bf16" and device.type == "cuda" and not native:
        name = torch.cuda.get_device_name(device)
        raise InputError(
            fault("train.precision", "must be one that the GPU has", f"bf16 on {name}", "Use fp32 or auto.")
        )
    return ("bf16" if native else "fp32") if precision == "auto" else precision


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which a forward pass of this precision runs. ``precision`` is a resolved one."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def compiled(module: nn.Module, setting: str, device: torch.device, num_steps: int) -> nn.Module:
    """Return a module that computes the same (but for rounding) by kernels of its own, where that pays.

    The module itself stays what it is: what is trained is its parameters, and ``state_dict`` of it has its names.

    Args:
        module: What is called in every step.
        setting: ``train.compile``: ``auto`` is on GPUs, where steps enough are to come to pay for compiling.
        device: Where it computes.
        num_steps: Steps that will be done with what is compiled now.
    """
    pays = device.type == "cuda" and num_steps >= MIN_COMPILED_STEPS
    if setting == "never" or (setting == "auto" and not pays):
        return module
    # A kernel a shape: there are two, as batches differ by one at most. Without isolation, the modules of one process
    # share a limit of eight, after which torch silently stops to compile.
    own = torch.compile(module, dynamic=False, isolate_recompiles=True)  # type: ignore[call-overload]
    return cast(nn.Module, own)


def mend_convolutions(network: nn.Module) -> None:
    """Make the gradients of strided convolutions right in bf16 on a CPU, in place; outputs stay what they are.

    oneDNN's bf16 kernel for the gradient of the weights (``jit_bf16:avx512_core``; oneDNN 3.12, torch 2.14) reads
    beyond images that are narrower than the stride, as those of 16 pixels become in a ResNet: what it finds, NaN at
    times, becomes the gradient of the outer columns of the kernel. Columns of zeros, which padding adds in any case,
    make such images as wide as the stride.
    """
    for module in network.modules():
        # With less padding than half a kernel the zeros never add an output.
        if (
            type(module) is nn.Conv2d  # timm's, which pads by what it is given, is right as it is
            and module.stride[1] > 1
            and 2 * int(module.padding[1]) < module.kernel_size[1]
        ):
            module.register_forward_pre_hook(_as_wide_as_stride)


def _as_wide_as_stride(module: nn.Module, inputs: tuple[torch.Tensor]) -> torch.Tensor:
    missing = cast(nn.Conv2d, module).stride[1] - inputs[0].shape[-1]
    return nn.functional.pad(inputs[0], (0, missing)) if missing > 0 else inputs[0]


def prepare_process(threads: int) -> None:
    """Set up this process for training: so many threads, freed memory kept for the next step, and a quick end.

    glibc gives large blocks back to the kernel as soon as they are freed, and every step then faults them in
    again: measured here, half of the time of a step of a ResNet-18 at 32 pixels. Other C libraries are left alone.
    """
    end_quickly()
    torch.set_num_threads(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # what else counts threads, as decoding does
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in _MALLOC.items():
            mallopt(parameter, value)


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
