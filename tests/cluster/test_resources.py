"""The layout for clusters of all kinds, without one: it never plans more than fits."""

from __future__ import annotations

import pytest

from translearn.cluster.each_node import in_turn
from translearn.cluster.resources import plan_resources
from translearn.config import ClusterSpec
from translearn.errors import InputError

LAPTOP = [{"CPU": 2.0}]
GPU_CLUSTER = [{"CPU": 48.0, "GPU": 8.0}] * 4
WORKSTATION = [{"CPU": 16.0, "GPU": 1.0}]
UNEVEN = [{"CPU": 8.0}, {"CPU": 3.0}, {"CPU": 0.0}]


@pytest.mark.parametrize(
    ("nodes", "asked", "expected"),
    [
        (LAPTOP, {}, (1, 0.0, 1, 2)),
        (LAPTOP, {"cpus_per_worker": 2}, (2, 0.0, 1, 1)),
        (LAPTOP, {"workers_per_trial": 2}, (1, 0.0, 2, 1)),
        (GPU_CLUSTER, {}, (1, 1.0, 1, 32)),
        (GPU_CLUSTER, {"cpus_per_worker": 12}, (12, 1.0, 1, 16)),
        (GPU_CLUSTER, {"workers_per_trial": 8}, (1, 1.0, 8, 4)),
        (GPU_CLUSTER, {"gpus_per_worker": 3}, (1, 3.0, 1, 8)),
        (GPU_CLUSTER, {"gpus_per_worker": 0}, (1, 0.0, 1, 192)),
        (WORKSTATION, {"gpus_per_worker": 0.25}, (1, 0.25, 1, 4)),
        # 0.4 fits twice on a GPU, and no worker spans two of them.
        (GPU_CLUSTER, {"gpus_per_worker": 0.4}, (1, 0.4, 1, 64)),
        (WORKSTATION, {"gpus_per_worker": 0.1}, (1, 0.1, 1, 10)),
        (UNEVEN, {}, (1, 0.0, 1, 11)),
        (UNEVEN, {"cpus_per_worker": 3}, (3, 0.0, 1, 3)),
        # The head of a cluster may have no GPU, or no CPU to give.
        ([{"CPU": 4.0}, {"CPU": 8.0, "GPU": 2.0}], {}, (1, 1.0, 1, 2)),
    ],
)
def test_trials_are_laid_out(nodes: list[dict[str, float]], asked: dict[str, float], expected: tuple) -> None:
    found = plan_resources(ClusterSpec(**asked), nodes)
    assert (found.cpus, found.gpus, found.workers_per_trial, found.concurrent_trials) == expected


@pytest.mark.parametrize(
    ("places", "expected"),
    [({}, []), ({"a": 0}, []), ({"a": 2, "b": 0, "c": 1, "d": 3}, ["a", "c", "d", "a", "d", "d"])],
)
def test_work_goes_to_each_node_in_turn(places: dict[str, int], expected: list[str]) -> None:
    assert in_turn(places) == expected


@pytest.mark.parametrize(
    ("nodes", "asked", "faults"),
    [
        (
            LAPTOP,
            {"cpus_per_worker": 4, "gpus_per_worker": 1},
            [
                "cluster.cpus_per_worker: must be at most 2, the CPUs of the largest node, but got 4. Lower it.",
                "cluster.gpus_per_worker: must be at most 0, the GPUs of the largest node, but got 1. Use 0, or add "
                "nodes with GPUs, or wait until they are up.",
            ],
        ),
        (
            LAPTOP,
            {"workers_per_trial": 3, "refit_workers": 3},
            [
                "cluster.workers_per_trial: must be at most 2, the workers of 1 CPU and 0 GPU that the cluster holds, "
                "but got 3. Lower it or add nodes.",
                "cluster.refit_workers: must be at most 2, the workers of 1 CPU and 0 GPU that the cluster holds, "
                "but got 3. Lower it, or use auto.",
            ],
        ),
        (
            GPU_CLUSTER,
            {"gpus_per_worker": 9},
            ["cluster.gpus_per_worker: must be at most 8, the GPUs of the largest node, but got 9. Lower it."],
        ),
        (
            [{"CPU": 4.0, "GPU": 8.0}],  # fewer CPUs than GPUs: five workers would wait for ever
            {"refit_workers": 5},
            [
                "cluster.refit_workers: must be at most 4, the workers of 1 CPU and 1 GPU that the cluster holds, "
                "but got 5. Lower it, or use auto."
            ],
        ),
        (
            LAPTOP,
            {"refit_workers": (3, 8)},
            [
                "cluster.refit_workers.0: must be at most 2, the workers of 1 CPU and 0 GPU that the cluster holds, "
                "but got 3. Lower it, or use auto."
            ],
        ),
        (
            LAPTOP,
            {"refits_at_once": 3},
            [
                "cluster.refits_at_once: must be at most 2, the runs of 1 worker of 1 CPU and 0 GPU that the cluster "
                "holds, but got 3. Lower it, or use auto."
            ],
        ),
        (
            GPU_CLUSTER,
            {"refits_at_once": 5, "refit_workers": (8, 16)},
            [
                "cluster.refits_at_once: must be at most 4, the runs of 8 workers of 1 CPU and 1 GPU that the cluster "
                "holds, but got 5. Lower it, or use auto."
            ],
        ),
        (
            [{"CPU": 0.0}],  # a head whose nodes are not up yet
            {},
            [
                "cluster.cpus_per_worker: must be at most 0, the CPUs of the largest node, but got 1. Add nodes, or "
                "wait until they are up."
            ],
        ),
    ],
)
def test_what_would_wait_for_ever_is_refused(nodes, asked, faults: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        plan_resources(ClusterSpec(**asked), nodes)
    assert str(caught.value).splitlines() == faults
