"""The layout for clusters of all kinds, without one: it never plans more than fits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.cluster.each_node import in_turn
from translearn.cluster.resources import Resources, plan_resources
from translearn.config import ClusterSpec
from translearn.errors import InputError

LAPTOP = [{"CPU": 2.0}]
GPU_CLUSTER = [{"CPU": 48.0, "GPU": 8.0}] * 4
WORKSTATION = [{"CPU": 16.0, "GPU": 1.0}]
UNEVEN = [{"CPU": 8.0}, {"CPU": 3.0}, {"CPU": 0.0}]


def layout(cpus=1, gpus=0.0, workers=1, trials=1, refit=(1, 1, 0.0)) -> Resources:
    return Resources(cpus, gpus, workers, trials, *refit)


@pytest.mark.parametrize(
    ("nodes", "asked", "expected"),
    [
        (LAPTOP, {}, layout(trials=2, refit=(1, 2, 0.0))),
        (LAPTOP, {"cpus_per_worker": 2}, layout(cpus=2, trials=1, refit=(1, 2, 0.0))),
        (LAPTOP, {"workers_per_trial": 2}, layout(workers=2, trials=1, refit=(1, 2, 0.0))),
        (LAPTOP, {"refit_workers": 2}, layout(trials=2, refit=(2, 1, 0.0))),
        (GPU_CLUSTER, {}, layout(gpus=1.0, trials=32, refit=(32, 1, 1.0))),
        (GPU_CLUSTER, {"cpus_per_worker": 12}, layout(cpus=12, gpus=1.0, trials=16, refit=(16, 12, 1.0))),
        (GPU_CLUSTER, {"workers_per_trial": 8}, layout(gpus=1.0, workers=8, trials=4, refit=(32, 1, 1.0))),
        (GPU_CLUSTER, {"gpus_per_worker": 3}, layout(gpus=3.0, trials=8, refit=(32, 1, 1.0))),
        (GPU_CLUSTER, {"gpus_per_worker": 0}, layout(trials=192, refit=(4, 48, 0.0))),
        (GPU_CLUSTER, {"refit_workers": 5}, layout(gpus=1.0, trials=32, refit=(5, 1, 1.0))),
        (WORKSTATION, {"gpus_per_worker": 0.25}, layout(gpus=0.25, trials=4, refit=(1, 1, 1.0))),
        # 0.4 fits twice on a GPU, and no worker spans two of them.
        (GPU_CLUSTER, {"gpus_per_worker": 0.4}, layout(gpus=0.4, trials=64, refit=(32, 1, 1.0))),
        (WORKSTATION, {"gpus_per_worker": 0.1}, layout(gpus=0.1, trials=10, refit=(1, 1, 1.0))),
        (UNEVEN, {}, layout(trials=11, refit=(2, 4, 0.0))),
        (UNEVEN, {"cpus_per_worker": 3}, layout(cpus=3, trials=3, refit=(2, 4, 0.0))),
        (UNEVEN, {"refit_workers": 3}, layout(trials=11, refit=(3, 3, 0.0))),
        # Elastic: it starts with what is there, and with the highest number where there is more.
        (GPU_CLUSTER, {"refit_workers": (4, 64)}, layout(gpus=1.0, trials=32, refit=(32, 1, 1.0, (4, 64)))),
        (GPU_CLUSTER, {"refit_workers": (4, 16)}, layout(gpus=1.0, trials=32, refit=(16, 1, 1.0, (4, 16)))),
        # Without GPUs a worker a node, as many as that where a node may be lost: none is too small for one.
        (LAPTOP, {"refit_workers": (1, 4)}, layout(trials=2, refit=(1, 2, 0.0, (1, 4)))),
        (LAPTOP, {"refit_workers": (2, 4)}, layout(trials=2, refit=(2, 1, 0.0, (2, 4)))),
        (LAPTOP * 3, {"refit_workers": (1, 2)}, layout(trials=6, refit=(2, 2, 0.0, (1, 2)))),
        (UNEVEN, {"refit_workers": (1, 8)}, layout(trials=11, refit=(3, 3, 0.0, (1, 8)))),
        # The head of a cluster may have no GPU, or no CPU to give.
        ([{"CPU": 4.0}, {"CPU": 8.0, "GPU": 2.0}], {}, layout(gpus=1.0, trials=2, refit=(2, 1, 1.0))),
    ],
)
def test_a_layout(nodes: list[dict[str, float]], asked: dict[str, float], expected: Resources) -> None:
    assert plan_resources(ClusterSpec(**asked), nodes) == expected


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


NODES = st.lists(
    st.fixed_dictionaries({"CPU": st.integers(0, 12).map(float)}, optional={"GPU": st.integers(0, 4).map(float)}),
    min_size=1,
    max_size=5,
)
SPECS = st.builds(
    ClusterSpec,
    workers_per_trial=st.integers(1, 4),
    gpus_per_worker=st.sampled_from(["auto", 0, 1, 2]),
    cpus_per_worker=st.integers(1, 4),
    refit_workers=st.just("auto") | st.integers(1, 6) | st.tuples(st.integers(1, 4), st.integers(4, 9)),
)


def places(nodes: list[dict[str, float]], num: int, cpus: int, gpus: float) -> bool:
    """Whether so many workers can be placed one after another."""
    left = [dict(node) for node in nodes]
    for _ in range(num):
        node = next((n for n in left if n["CPU"] >= cpus and n.get("GPU", 0) >= gpus), None)
        if node is None:
            return False
        node["CPU"] -= cpus
        node["GPU"] = node.get("GPU", 0) - gpus
    return True


@settings(max_examples=200, deadline=None)
@given(NODES, SPECS)
def test_all_trials_at_once_fit_one_more_does_not_and_the_refit_fits(nodes, spec: ClusterSpec) -> None:
    try:
        plan = plan_resources(spec, nodes)
    except InputError:
        return
    workers = plan.concurrent_trials * plan.workers_per_trial
    assert plan.concurrent_trials >= 1
    assert places(nodes, workers, plan.cpus, plan.gpus)
    assert not places(nodes, workers + plan.workers_per_trial, plan.cpus, plan.gpus)
    assert places(nodes, plan.refit_workers, plan.refit_cpus, plan.refit_gpus)
    if plan.refit_range:
        assert plan.refit_range[0] <= plan.refit_workers <= plan.refit_range[1]
        # Ray Train counts in the same way; it would else ask for workers that have no place, or for fewer.
        more = places(nodes, plan.refit_workers + 1, plan.refit_cpus, plan.refit_gpus)
        assert plan.refit_workers == plan.refit_range[1] or not more


@pytest.mark.parametrize("num_nodes", range(1, 17))
@pytest.mark.parametrize(("gpus", "cpus", "workers"), [(1, 4, 1), (4, 48, 1), (4, 48, 2), (8, 96, 3), (8, 96, 16)])
def test_one_to_sixteen_gpu_nodes_are_filled(num_nodes: int, gpus: int, cpus: int, workers: int) -> None:
    nodes = [{"CPU": 0.0}] + [{"CPU": float(cpus), "GPU": float(gpus)}] * num_nodes  # and a head without work
    if workers > num_nodes * gpus:
        with pytest.raises(InputError, match=f"must be at most {num_nodes * gpus}, the workers of 1 CPU and 1 GPU"):
            plan_resources(ClusterSpec(workers_per_trial=workers), nodes)
        return
    plan = plan_resources(ClusterSpec(workers_per_trial=workers), nodes)
    assert plan.concurrent_trials == num_nodes * gpus // workers
    assert (plan.refit_workers, plan.refit_gpus) == (num_nodes * gpus, 1.0)
