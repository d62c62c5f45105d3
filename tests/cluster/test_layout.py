"""The layout of refits and pre-training on clusters of all kinds, without one: it never plans more than fits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.cluster.resources import plan_resources
from translearn.cluster.training.layout import MOST_AT_ONCE, Layout, again, lay_out
from translearn.config import ClusterSpec
from translearn.errors import InputError

LAPTOP = [{"CPU": 2.0}]
CPU_CLUSTER = [{"CPU": 16.0}] * 4
GPU_CLUSTER = [{"CPU": 48.0, "GPU": 8.0}] * 4
UNEVEN = [{"CPU": 8.0}, {"CPU": 3.0}, {"CPU": 0.0}]
LONG, SHORT = 10.0, 0.001  # seconds of a step


def laid_out(nodes: list[dict[str, float]], num_runs: int, step_s: float, **asked: Any) -> Layout:
    return lay_out(plan_resources(ClusterSpec(**asked), nodes), num_runs, lambda: step_s)


@pytest.mark.parametrize(
    ("nodes", "num_runs", "step_s", "asked", "expected"),
    [
        # As many runs as places: one worker each, however long a step is.
        (LAPTOP, 25, SHORT, {}, Layout(2, 1, 1, 0.0)),
        (LAPTOP, 25, LONG, {}, Layout(2, 1, 1, 0.0)),
        (LAPTOP, 2, LONG, {}, Layout(2, 1, 1, 0.0)),
        (LAPTOP, 25, LONG, {"cpus_per_worker": 2}, Layout(1, 1, 2, 0.0)),
        (GPU_CLUSTER[:2], 64, LONG, {"cpus_per_worker": 6}, Layout(16, 1, 6, 1.0)),
        # Fewer: several workers where a step is long enough to be divided, on CPUs at most one a node.
        (LAPTOP, 1, LONG, {}, Layout(1, 1, 2, 0.0)),
        (CPU_CLUSTER, 1, LONG, {}, Layout(1, 4, 16, 0.0)),
        (CPU_CLUSTER, 2, LONG, {}, Layout(2, 2, 16, 0.0)),
        (CPU_CLUSTER, 2, SHORT, {}, Layout(2, 1, 16, 0.0)),
        (CPU_CLUSTER, 8, SHORT, {}, Layout(8, 1, 8, 0.0)),
        (GPU_CLUSTER, 1, LONG, {}, Layout(1, 32, 1, 1.0)),
        (GPU_CLUSTER, 1, SHORT, {}, Layout(1, 1, 1, 1.0)),
        (GPU_CLUSTER, 8, LONG, {}, Layout(8, 4, 1, 1.0)),
        (GPU_CLUSTER, 12, SHORT, {}, Layout(12, 1, 1, 1.0)),
        # 9 runs of 1 worker would take two turns, of 8 workers a little more than one.
        (GPU_CLUSTER[:1], 9, LONG, {}, Layout(1, 8, 1, 1.0)),
        (GPU_CLUSTER[:1], 9, SHORT, {}, Layout(8, 1, 1, 1.0)),
        ([{"CPU": 96.0, "GPU": 8.0}] * 16, 200, SHORT, {}, Layout(MOST_AT_ONCE, 1, 1, 1.0)),
        (UNEVEN, 25, SHORT, {}, Layout(11, 1, 1, 0.0)),
        (UNEVEN, 25, SHORT, {"cpus_per_worker": 3}, Layout(3, 1, 3, 0.0)),
        # Set.
        (LAPTOP, 25, SHORT, {"refits_at_once": 1}, Layout(1, 1, 2, 0.0)),
        (LAPTOP, 25, SHORT, {"refit_workers": 2}, Layout(1, 2, 1, 0.0)),
        (LAPTOP, 25, SHORT, {"refits_at_once": 2, "cpus_per_worker": 2}, Layout(2, 1, 1, 0.0)),
        (UNEVEN, 25, SHORT, {"refit_workers": 3, "refits_at_once": 1}, Layout(1, 3, 3, 0.0)),
        (GPU_CLUSTER, 25, SHORT, {"refit_workers": 5}, Layout(6, 5, 1, 1.0)),
        (GPU_CLUSTER, 25, LONG, {"refits_at_once": 2}, Layout(2, 16, 1, 1.0)),
        (GPU_CLUSTER, 25, SHORT, {"refits_at_once": 2}, Layout(2, 1, 1, 1.0)),
        (GPU_CLUSTER, 1, LONG, {"refits_at_once": 2}, Layout(1, 32, 1, 1.0)),
        # Elastic: one at a time; with what is there, and with the highest number where there is more.
        (GPU_CLUSTER, 25, SHORT, {"refit_workers": (4, 64)}, Layout(1, 32, 1, 1.0, (4, 64))),
        (GPU_CLUSTER, 25, SHORT, {"refit_workers": (4, 16)}, Layout(1, 16, 1, 1.0, (4, 16))),
        # Without GPUs a worker a node, as many as that where a node may be lost: none is too small for one.
        (LAPTOP, 25, SHORT, {"refit_workers": (1, 4)}, Layout(1, 1, 2, 0.0, (1, 4))),
        (LAPTOP, 25, SHORT, {"refit_workers": (2, 4)}, Layout(1, 2, 1, 0.0, (2, 4))),
        (LAPTOP * 3, 25, SHORT, {"refit_workers": (1, 2)}, Layout(1, 2, 2, 0.0, (1, 2))),
        (UNEVEN, 25, SHORT, {"refit_workers": (1, 8)}, Layout(1, 3, 3, 0.0, (1, 8))),
        # Several elastic runs: none grows into another's place.
        (GPU_CLUSTER, 25, SHORT, {"refit_workers": (4, 64), "refits_at_once": 2}, Layout(2, 16, 1, 1.0, (4, 16))),
        (CPU_CLUSTER, 25, SHORT, {"refit_workers": (1, 4), "refits_at_once": 2}, Layout(2, 2, 16, 0.0, (1, 2))),
    ],
)
def test_a_layout(
    nodes: list[dict[str, float]], num_runs: int, step_s: float, asked: dict[str, Any], expected: Layout
) -> None:
    assert laid_out(nodes, num_runs, step_s, **asked) == expected


def test_a_step_is_measured_only_where_the_layout_depends_on_it() -> None:
    def measured() -> float:
        raise AssertionError

    for num_runs, asked in ((8, {}), (16, {}), (1, {"refit_workers": 8}), (1, {"refit_workers": (1, 8)})):
        lay_out(plan_resources(ClusterSpec(**asked), GPU_CLUSTER[:1]), num_runs, measured)
    lay_out(plan_resources(ClusterSpec(), LAPTOP), 1, measured)


def test_a_command_that_goes_on_keeps_the_workers_of_a_run_and_takes_the_places_there_are() -> None:
    shape = Layout(8, 4, 1, 1.0).shape
    for nodes, expected in ((GPU_CLUSTER, 8), (GPU_CLUSTER[:2], 4), ([{"CPU": 8.0, "GPU": 3.0}], None)):
        found = again(plan_resources(ClusterSpec(), nodes), 8, shape)
        assert found == (Layout(expected, 4, 1, 1.0) if expected else None)
    elastic = plan_resources(ClusterSpec(refit_workers=(1, 8)), GPU_CLUSTER)
    assert again(elastic, 8, shape) is None


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        (Layout(2, 1, 1, 0.0), "2 at once, 1 worker of 1 CPU each"),
        (Layout(1, 8, 12, 1.0), "one at a time, 8 workers of 12 CPUs and 1 GPU each"),
        (Layout(1, 2, 1, 1.0, (1, 8)), "one at a time, 1 to 8 workers of 1 CPU and 1 GPU each (2 now)"),
    ],
)
def test_a_layout_in_words(layout: Layout, expected: str) -> None:
    assert str(layout) == expected


def test_runs_at_once_and_workers_share_the_time() -> None:
    assert Layout(2, 1, 1, 0.0).seconds(num_runs=25, run_s=10.0) == 130.0
    assert Layout(1, 4, 1, 0.0).seconds(num_runs=2, run_s=10.0) == 5.0


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
    refits_at_once=st.just("auto") | st.integers(1, 6),
)


def fit(nodes: list[dict[str, float]], num: int, cpus: int, gpus: float) -> bool:
    """Whether so many workers can be placed one after another."""
    left = [dict(node) for node in nodes]
    for _ in range(num):
        node = next((n for n in left if n["CPU"] >= cpus and n.get("GPU", 0) >= gpus), None)
        if node is None:
            return False
        node["CPU"] -= cpus
        node["GPU"] = node.get("GPU", 0) - gpus
    return True


@settings(max_examples=300, deadline=None)
@given(NODES, SPECS, st.integers(1, 40), st.sampled_from([LONG, SHORT, 0.05]))
def test_all_trials_at_once_fit_one_more_does_not_and_all_refits_at_once_fit(
    nodes: list[dict[str, float]], spec: ClusterSpec, num_runs: int, step_s: float
) -> None:
    try:
        plan = plan_resources(spec, nodes)
    except InputError:
        return
    trials = plan.concurrent_trials * plan.workers_per_trial
    assert plan.concurrent_trials >= 1
    assert fit(nodes, trials, plan.cpus, plan.gpus)
    assert not fit(nodes, trials + plan.workers_per_trial, plan.cpus, plan.gpus)

    found = lay_out(plan, num_runs, lambda: step_s)
    workers = found.at_once * found.workers
    assert 1 <= found.at_once <= num_runs
    assert fit(nodes, workers, found.cpus, found.gpus)
    if isinstance(spec.refit_workers, int):
        assert found.workers == spec.refit_workers
    if isinstance(spec.refits_at_once, int):
        assert found.at_once == min(spec.refits_at_once, num_runs)
    if found.elastic:
        assert found.elastic[0] <= found.workers <= found.elastic[1]
        assert found.at_once == 1 or fit(nodes, found.at_once * found.elastic[1], found.cpus, found.gpus)
        # Ray Train counts in the same way; it would else ask for workers that have no place, or for fewer.
        assert found.workers == found.elastic[1] or not fit(nodes, workers + found.at_once, found.cpus, found.gpus)
    else:
        assert again(plan, num_runs, found.shape) is not None


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
    for num_runs in (1, num_nodes, 192):
        found = lay_out(plan, num_runs, lambda: LONG)
        assert found.at_once * found.workers == num_nodes * gpus
