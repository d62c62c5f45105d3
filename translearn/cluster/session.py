"""The connection to Ray: a cluster that is there, or a local one that only this machine can reach."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import ray
from ray._private import parameter, ray_constants

from translearn.cluster.start.address import LOCAL_RAY, check_address, find_address, joining
from translearn.cluster.start.local import local_options, prepare_process

# Ray's listeners, and gloo's, bind to 127.0.0.1 with this, and to every interface without it.
LOCAL = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",
}
# Ray Train polls its workers every 2 s by default, which is one report in 2 s.
_QUICK = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "60",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    # Tune would end a search at Ctrl-C as if it were complete, and the study would go on with half of the trials.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    # At least every 2 s instead of 10: trials that ended since then would be trained on again after a crash.
    "TUNE_GLOBAL_CHECKPOINT_S": "2",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
# They take seconds to import, and Ray's start is mostly waiting. None imports Ray: no two threads
# wait for modules of each other.
_MEANWHILE = ("torchvision", "scipy.stats", "pandas")
# A raylet looks for its own object store, often a moment before it is there, and then sleeps so long: 1 s by default.
_PROMPT = {
    "RAY_raylet_client_connect_timeout_milliseconds": "100",
    "RAY_raylet_client_num_connect_attempts": "100",
}
# An elastic group that can not be had at its size is tried at another one; so long Ray Train waits for it.
_START_TIMEOUT, _ELASTIC_START_TIMEOUT_S = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "15"


@contextmanager
def session(address: str | None = None, dashboard: bool = True, num_cpus: int | None = None) -> Iterator[str]:
    """Connect to Ray, and disconnect at the end; yield the address of the dashboard, empty when there is none.

    Args:
        address: A cluster's address, ``auto``, or ``local``. None: ``RAY_ADDRESS`` (which ``ray job submit``
            sets), else a new local Ray that listens on 127.0.0.1 only and ends with the session.
        dashboard: Whether a new local Ray has a dashboard.
        num_cpus: CPUs of a new local Ray; those that this process may use when None.

    Raises:
        InputError: No cluster answers at the address, or it is of other versions; no local Ray can start.
    """
    if ray.is_initialized():  # a caller's own session, for example a test's
        yield ""
        return
    _prepare_environment()
    where, address = find_address(address)
    check_address(where, address)
    # A local Ray's processes inherit this environment; those of a cluster are told.
    options: dict[str, Any] = {"runtime_env": {"env_vars": _QUICK}}
    start: AbstractContextManager[None] = nullcontext()
    if address == LOCAL_RAY:
        listen_here_only()
        prepare_process()
        options, start = {"include_dashboard": dashboard, **local_options(num_cpus)}, _prompt_start()
    threading.Thread(target=lambda: [*map(importlib.import_module, _MEANWHILE)], daemon=True).start()
    with joining(where, address), start:
        context = ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
    _unhurried_sigterm()
    try:
        yield context.dashboard_url or ""
    finally:
        ray.shutdown()


def _unhurried_sigterm() -> None:
    """Give SIGTERM back to the handler in Python: before it Ray's own would be called, which aborts 3 s later."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


@contextmanager
def quick_starts() -> Iterator[None]:
    """While the block runs, Ray Train waits less long for new groups of workers; whoever set the time has theirs."""
    usual = _QUICK[_START_TIMEOUT]
    if os.environ.get(_START_TIMEOUT, usual) != usual:
        yield
        return
    with environment({_START_TIMEOUT: _ELASTIC_START_TIMEOUT_S}):
        yield


@contextmanager
def _prompt_start() -> Iterator[None]:
    """Let a Ray that starts in the block wait for nothing, and give it free ports: its own, and its dashboard agent's.

    The agent has a fixed one by default. Where another Ray of the machine has it, a start waits 3 s for it, and the
    dashboard then has no agent.
    """
    usual, prompt = parameter.RayParams, {name: os.environ.get(name, value) for name, value in _PROMPT.items()}
    with environment({**prompt, **own_address()}):
        parameter.RayParams = partial(usual, dashboard_agent_listen_port=0)
        try:
            yield
        finally:
            parameter.RayParams = usual


def own_address() -> dict[str, str]:
    """Return variables that give a Ray started on this machine a free port, and its processes its address.

    Those that are not told take the Ray that was started last on the machine. Ray Train's PlacementGroupCleaner then
    asks another Ray for its controller, takes it for dead, and removes the workers of a training that runs.
    """
    port = free_port()
    return {ray_constants.GCS_PORT_ENVIRONMENT_VARIABLE: f"{port}", **told_address(f"127.0.0.1:{port}")}


def told_address(address: str) -> dict[str, str]:
    """Return variables that tell processes which Ray is theirs, whatever the user's shell says."""
    return {"RAY_ADDRESS": address, "RAY_API_SERVER_ADDRESS": ""}


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment while the block runs."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
            os.environ.update({name: before[name]} if name in before else {})


def listen_here_only() -> None:
    """Make a Ray that this process starts listen on 127.0.0.1 only, for the rest of the process."""
    os.environ.update(LOCAL)
    # Ray has read the variable already, when it was imported; a test looks at the sockets.
    ray_constants.ENABLE_RAY_CLUSTER = False


def _prepare_environment() -> None:
    for name, value in _QUICK.items():
        os.environ.setdefault(name, value)
