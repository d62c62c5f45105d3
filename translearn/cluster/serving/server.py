"""A server on this machine: a local Ray with Serve, for the time of a block."""

from __future__ import annotations

import importlib.util
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from translearn.cluster.session import session
from translearn.deploy.web.limits import Limits
from translearn.errors import InputError, fault

_PACKAGES = ("fastapi", "starlette", "uvicorn", "python_multipart")


def check_server(host: str, port: int, replicas: int) -> None:
    """Check what a server needs, before Ray starts.

    Raises:
        InputError: With every fault.
    """
    faults = []
    if missing := [name for name in _PACKAGES if importlib.util.find_spec(name) is None]:
        rule, remedy = "must find the packages of Ray Serve", "Run: pip install 'translearn[serve]'."
        faults.append(fault("serve", rule, f"no {', no '.join(missing)}", remedy))
    if replicas < 1:
        faults.append(fault("--replicas", "must be at least 1", replicas, ""))
    if reason := _unusable(host, port):
        faults.append(fault("--host and --port", "must be a free address of this machine", reason, "Give another one."))
    if faults:
        raise InputError("\n".join(faults))


@contextmanager
def serving(model: str, host: str, port: int, replicas: int, limits: Limits) -> Iterator[list[str]]:
    """Serve a model until the end of the block; yield the addresses of Prometheus metrics."""
    from ray import serve

    from translearn.cluster.serving.application import application

    with session("local", dashboard=False):
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        http = {"host": host, "port": port, "request_timeout_s": 3 * limits.timeout_s}
        serve.start(proxy_location="HeadOnly", http_options=http)
        try:
            serve.run(application(model, limits, replicas, *_share(replicas)), name="translearn")
            yield [f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics" for node in ray.nodes()]
        finally:
            serve.shutdown()


def _share(replicas: int) -> tuple[float, float]:
    """Return the CPUs and GPUs of each of the replicas, which share this machine's."""
    total = ray.cluster_resources()
    cpus, gpus = total.get("CPU", 1) / replicas, total.get("GPU", 0) / replicas
    return (cpus if cpus < 1 else int(cpus)), min(gpus, 1)


def _unusable(host: str, port: int) -> str:
    """Return why a server cannot listen there; empty where it can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError) as error:
        return f"{host}:{port} ({getattr(error, 'strerror', None) or error})"
    return ""
