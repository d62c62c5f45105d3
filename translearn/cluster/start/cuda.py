"""A check that torch can use the GPUs that Ray has: its CPU builds, and drivers that are too old, can not."""

from __future__ import annotations

from collections.abc import Callable

import ray

from translearn.cluster.each_node import on_each
from translearn.cluster.resources import Resources
from translearn.errors import InputError, fault

_ANSWER_S = 120.0


def check_cuda(resources: Resources, look: Callable[[], tuple[str, str, bool]] | None = None) -> None:
    """Check every node that has GPUs, before training; do nothing where none are asked for.

    Args:
        resources: What the study may use.
        look: Runs on each of these nodes; returns its name, torch's version, and whether torch can use a GPU.

    Raises:
        InputError: Names the nodes, and torch's versions there.
    """
    if not resources.gpus:
        return
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU")]
    found = on_each(nodes, look or _torch, timeout_s=_ANSWER_S)
    if blind := sorted({f"torch {version} on {name}" for name, version, is_usable in found if not is_usable}):
        rule = "must be 0 where torch cannot use the GPUs that Ray has"
        got = f"{resources.gpus:g} with {', '.join(blind)}"
        remedy = "Install a torch with CUDA for the driver there (`nvidia-smi` shows it), or set it to 0."
        raise InputError(fault("cluster.gpus_per_worker", rule, got, remedy))


def _torch() -> tuple[str, str, bool]:
    import platform

    import torch

    return platform.node(), torch.__version__, torch.cuda.is_available()
