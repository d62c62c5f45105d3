"""The web application: ``POST /predict``, and a page to try it on."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from translearn.deploy.web.answer import Answer, row
from translearn.deploy.web.body import RefusedError, Upload, uploads
from translearn.deploy.web.limits import Limits
from translearn.models.model_info import ModelInfo

#: From encoded images to an answer each, with the picture that the model saw or without.
Predict = Callable[[list[bytes], bool], Awaitable[list[Answer]]]
_PAGE = {"/": ("page.html", "text/html"), "/page.js": ("page.js", "text/javascript")}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class BusyError(Exception):
    """The server has too much to do, or no worker at the moment."""


def build_app(predict: Predict, info: ModelInfo, limits: Limits) -> Starlette:
    """Return the application.

    ``POST /predict`` takes an image as its body, or several as files of a multipart form; ``top=K`` keeps the K best
    classes, ``picture=1`` adds the picture that the model saw. Answers are JSON: ``predictions``, a row an image in
    the order of the request, or ``error`` with a status from 400 on.

    Args:
        predict: Answers images; may raise BusyError.
        info: The model's description.
        limits: Of a request.
    """

    async def post(request: Request) -> Response:
        try:
            return await _predicted(request, predict, info, limits)
        except RefusedError as error:
            # The rest of the body is not read, so the connection cannot be used again.
            more = {"Connection": "close"} if error.status in (408, 413) else None
            return JSONResponse({"error": error.message}, error.status, headers=more)

    async def model(_: Request) -> Response:
        size = info.preprocessing.image_size
        return JSONResponse({"arch": info.arch, "classes": list(info.classes), "image_size": size})

    pages = [Route(path, _page(*content), methods=["GET"]) for path, content in _PAGE.items()]
    return Starlette(
        routes=[*pages, Route("/model", model, methods=["GET"]), Route("/predict", post, methods=["POST"])]
    )


async def _predicted(request: Request, predict: Predict, info: ModelInfo, limits: Limits) -> Response:
    top = _whole_number(request, "top", len(info.classes), 1, len(info.classes))
    with_picture = bool(_whole_number(request, "picture", 0, 0, 1))
    given = await uploads(request, limits)
    try:
        answers = await asyncio.wait_for(predict([one.content for one in given], with_picture), limits.timeout_s)
    except TimeoutError:
        raise RefusedError(503, f"took longer than {limits.timeout_s:g} s; try later, or with fewer images") from None
    except BusyError as error:
        raise RefusedError(503, f"{error}; try later") from None
    if faults := _faults(given, answers):
        return JSONResponse({"error": "; ".join(faults), "faults": faults}, 422)
    rows = zip(given, answers, strict=True)
    return JSONResponse({"predictions": [_row(one, found, info, top) for one, found in rows]})


def _row(given: Upload, found: Answer, info: ModelInfo, top: int) -> dict[str, Any]:
    picture = found.picture
    shown = {"picture": "data:image/png;base64," + base64.b64encode(picture).decode()} if picture else {}
    return {**row(found, given.name, info.classes, top), **shown}


def _faults(given: list[Upload], answers: list[Answer]) -> list[str]:
    """Return which images cannot be read, and why."""
    return [
        f"{one.name or f'image {number}'}: {found.reason}"
        for number, (one, found) in enumerate(zip(given, answers, strict=True), start=1)
        if found.reason is not None
    ]


def _whole_number(request: Request, name: str, default: int, least: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise RefusedError(400, f"{name} must be a whole number from {least} to {most}")
    return int(text)


def _page(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    content = files("translearn.deploy.web").joinpath(name).read_bytes()

    async def page(_: Request) -> Response:
        return Response(content, media_type=f"{kind}; charset=utf-8", headers=_HEADERS)

    return page
