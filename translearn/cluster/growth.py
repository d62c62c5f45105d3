"""Nodes that an autoscaler has yet to start."""

from __future__ import annotations

import time

from ray.autoscaler.sdk import request_resources

from translearn.cluster.resources import plan_resources
from translearn.cluster.tracking.console import say
from translearn.config import ClusterSpec
from translearn.errors import InputError

_POLL_S = 2.0


def await_nodes(spec: ClusterSpec) -> None:
    """Ask Ray's autoscaler for the nodes of a trial, and wait until they are up or the time is over.

    Nothing is asked for where they are up, or ``wait_for_nodes_s`` is 0. More nodes come while the search runs: trials
    that wait ask for them.
    """
    until = time.monotonic() + spec.wait_for_nodes_s
    if not spec.wait_for_nodes_s or _is_enough(spec):
        return
    gpus = 0.0 if spec.gpus_per_worker == "auto" else float(spec.gpus_per_worker)
    bundle = {unit: num for unit, num in (("CPU", float(spec.cpus_per_worker)), ("GPU", gpus)) if num}
    say(f"waiting for nodes: {spec.workers_per_trial} x {bundle}, {spec.wait_for_nodes_s:g} s at most")
    request_resources(bundles=[bundle] * spec.workers_per_trial)
    try:
        while not _is_enough(spec) and time.monotonic() < until:
            time.sleep(_POLL_S)
    finally:
        request_resources(bundles=[])  # a request holds nodes that nobody uses


def _is_enough(spec: ClusterSpec) -> bool:
    try:
        plan_resources(spec)
    except InputError:
        return False
    return True
