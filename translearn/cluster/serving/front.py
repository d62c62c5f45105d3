"""The web application in front of a model's replicas: it takes requests apart, and decodes nothing."""

from __future__ import annotations

from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError
from starlette.applications import Starlette

from translearn.deploy.web.answer import Answer
from translearn.deploy.web.app import BusyError, build_app
from translearn.deploy.web.limits import Limits
from translearn.models.model_info import ModelInfo

_TRIES = 2  # an image may be what ends a replica: then it ends two, not all


class Front:
    """The web application."""

    def __init__(self, predictor: Any, info: ModelInfo, limits: Limits) -> None:
        """Take the handle of the ``Predictor``."""
        self._predictor, self._info, self._limits = predictor, info, limits

    def __serve_build_asgi_app__(self) -> Starlette:
        """Return the application, as Serve asks for it."""
        return build_app(self._predict, self._info, self._limits)

    async def _predict(self, contents: list[bytes], with_pictures: bool) -> list[Answer]:
        """Return a replica's answers; of another one where the first one ends, because a prediction has no effects."""
        for _ in range(_TRIES):
            try:
                answers: list[Answer] = await self._predictor.remote(contents, with_pictures)
                return answers
            except BackPressureError:
                raise BusyError("too many requests wait") from None
            except RayActorError:
                continue
        raise BusyError("the replicas that had the request ended")
