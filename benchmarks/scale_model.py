"""A model, not a measurement: ResNet-50 at 224 px on 8 to 256 GPUs, from published speeds and bandwidths.

Assumptions, each a constant below: the speed of one GPU is the published one of an A100 in bf16; a ring all-reduce
moves 2(n-1)/n of the fp32 gradients in a node over NVLink, then between nodes in a ring where each GPU has its own
part and network card; links give 80 % of their published bandwidth; communication of gradients hides behind the
backward pass, two thirds of a step, but for the last bucket; synchronised BatchNorm needs two collectives a layer and
step that nothing hides, each one latency; loading keeps up; no worker is slower than another; none fails.
"""

from __future__ import annotations

import math
from typing import Any

GPUS = (8, 16, 32, 64, 128, 256)
GPUS_A_NODE = 8
IMAGES_S = 2_500.0  # one A100, PyTorch, mixed precision: NVIDIA's published ResNet-50
GRADIENT_BYTES = 25_557_032 * 4
LAST_BUCKET_BYTES = 1 * 2**20  # DDP's first bucket, which is the last one of the backward pass
NODE_BYTES_S = 300e9  # NVLink 3, a direction
NETWORK_BYTES_S = {"200 Gbit/s a GPU": 25e9, "100 Gbit/s a node": 12.5e9 / GPUS_A_NODE}
LINK_EFFICIENCY = 0.8
BACKWARD = 2 / 3
NUM_BATCHNORMS, NODE_LATENCY_S, NETWORK_LATENCY_S = 53, 20e-6, 40e-6
BATCH_A_GPU, STRONG_BATCH = 64, 2_048
IMAGES = 1_281_167 * 30  # 30 epochs of ImageNet
TRIALS, TRIAL_IMAGES = 256, 50_000 * 10  # a search: each trial on one GPU, all its epochs, nothing shared


def table() -> list[dict[str, Any]]:
    """A row a network and number of GPUs: efficiency, hours and GPU hours of a run, and hours of a search."""
    return [
        {
            "network": network,
            "gpus": gpus,
            **_run(gpus, BATCH_A_GPU, bandwidth, "weak"),
            **_run(gpus, STRONG_BATCH / gpus, bandwidth, "strong"),
            "search_h": math.ceil(TRIALS / gpus) * TRIAL_IMAGES / IMAGES_S / 3600,
        }
        for network, bandwidth in NETWORK_BYTES_S.items()
        for gpus in GPUS
    ]


def step_s(gpus: int, batch_a_gpu: float, network_bytes_s: float) -> float:
    """Seconds of one step: computing, gradients that the backward pass does not hide, and BatchNorm."""
    compute = batch_a_gpu / IMAGES_S
    hidden = min(BACKWARD * compute, all_reduce_s(gpus, GRADIENT_BYTES - LAST_BUCKET_BYTES, network_bytes_s))
    exposed = all_reduce_s(gpus, GRADIENT_BYTES, network_bytes_s) - hidden
    latency = NETWORK_LATENCY_S if gpus > GPUS_A_NODE else NODE_LATENCY_S
    return compute + exposed + 2 * NUM_BATCHNORMS * latency


def all_reduce_s(gpus: int, num_bytes: float, network_bytes_s: float) -> float:
    """Seconds of an all-reduce: over NVLink in each node, then each GPU's part of it between nodes."""
    members, nodes = min(gpus, GPUS_A_NODE), math.ceil(gpus / GPUS_A_NODE)
    inside = 2 * (members - 1) / members * num_bytes / (NODE_BYTES_S * LINK_EFFICIENCY)
    between = 2 * (nodes - 1) / nodes * num_bytes / members / (network_bytes_s * LINK_EFFICIENCY)
    return inside + between


def _run(gpus: int, batch_a_gpu: float, bandwidth: float, kind: str) -> dict[str, float]:
    seconds = step_s(gpus, batch_a_gpu, bandwidth)
    hours = IMAGES / (gpus * batch_a_gpu) * seconds / 3600
    efficiency = batch_a_gpu / IMAGES_S / seconds
    return {f"{kind}_efficiency": efficiency, f"{kind}_h": hours, f"{kind}_gpu_h": hours * gpus}
