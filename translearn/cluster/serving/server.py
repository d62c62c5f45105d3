"""A server on this machine: a local Ray with Serve, for the time of a block."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from translearn.cluster.session import environment, session
from translearn.deploy.web.request import ServeRequest

#: On a busy machine the proxy takes longer to start, or to answer, than Serve waits by default before it replaces it.
_PATIENT = {"RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60", "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "60"}


@contextmanager
def serving(request: ServeRequest) -> Iterator[list[str]]:
    """Serve a model until the end of the block; yield the addresses of Prometheus metrics."""
    from ray import serve

    from translearn.cluster.serving.application import application

    with environment(_PATIENT), session("local", dashboard=False):
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        http = {"host": request.host, "port": request.port, "request_timeout_s": 3 * request.limits.timeout_s}
        serve.start(proxy_location="HeadOnly", http_options=http)
        try:
            served = application(request.folder.uri, request.limits, request.replicas, *_share(request.replicas))
            serve.run(served, name="translearn")
            yield [f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics" for node in ray.nodes()]
        finally:
            serve.shutdown()


def _share(replicas: int) -> tuple[float, float]:
    """Return the CPUs and GPUs of each of the replicas, which share this machine's."""
    total = ray.cluster_resources()
    cpus, gpus = total.get("CPU", 1) / replicas, total.get("GPU", 0) / replicas
    return (cpus if cpus < 1 else int(cpus)), (gpus if gpus < 1 else 1)
