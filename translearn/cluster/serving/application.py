"""A trained model as an application of Ray Serve.

Imports Serve, which takes seconds and is an extra: nothing else imports this.
"""

from __future__ import annotations

from typing import Any

from ray import serve

from translearn.cluster.serving.front import Front
from translearn.cluster.serving.predictor import Predictor
from translearn.deploy.web.limits import Limits
from translearn.models import model_dir
from translearn.models.model_info import find_model

#: Requests that a replica works on at once, decoding some and computing others, and those that wait for one.
_ONGOING, _QUEUED = 64, 512
#: A replica that is gone is noticed after so long, and another one started.
_HEALTH_CHECK_S = 2


def application(
    model: str, limits: Limits | None = None, replicas: int = 2, num_cpus: float = 1, num_gpus: float = 0
) -> serve.Application:
    """Return the application of a model, for ``serve.run``.

    Args:
        model: A model directory, or a study's.
        limits: Of a request; the usual ones when None.
        replicas: How many times the model is there.
        num_cpus: Of each; a replica has so many threads, one at least.
        num_gpus: Of each.

    Raises:
        WeightsError: There is no finished model.
    """
    state, info = model_dir.load_model(find_model(model))
    limits, given = limits or Limits(), info.preprocessing
    allowed = min(limits.max_pixels, given.max_pixels or limits.max_pixels)
    info = info.model_copy(update={"preprocessing": given.model_copy(update={"max_pixels": allowed})})
    predictor = serve.deployment(
        num_replicas=replicas,
        max_ongoing_requests=_ONGOING,
        max_queued_requests=_QUEUED,
        health_check_period_s=_HEALTH_CHECK_S,
        ray_actor_options={"num_cpus": num_cpus, "num_gpus": num_gpus},
    )(Predictor)
    front = serve.deployment(
        max_ongoing_requests=2 * _QUEUED, health_check_period_s=_HEALTH_CHECK_S, ray_actor_options={"num_cpus": 0}
    )(serve.ingress()(Front))
    return front.bind(predictor.bind(state, info, max(1, int(num_cpus))), info, limits)


def build(arguments: dict[str, Any]) -> serve.Application:
    """Return the application of ``{"model": ADDRESS, ...}``, for the ``import_path`` of a Serve config file."""
    return application(**arguments)
