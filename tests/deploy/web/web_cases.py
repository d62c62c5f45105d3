"""A caller of the web application, without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from translearn.deploy.model import Model
from translearn.deploy.web.answer import Answer, answer


@dataclass(frozen=True)
class Reply:
    """What the application answers."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    app: Any, method: str, target: str, parts: Sequence[bytes] = (b"",), ends: bool = True, **headers: str
) -> Reply:
    """Calls the application as a server would: the body in parts, headers with underscores for dashes.

    A caller whose body does not end sends its parts, and then nothing.
    """
    path, _, query = target.partition("?")
    pending, sent = list(parts), []
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": raw}

    async def receive() -> dict[str, Any]:
        if not pending:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": pending.pop(0), "more_body": bool(pending) or not ends}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app({"http_version": "1.1", "asgi": {"version": "3.0"}, **scope}, receive, send))
    start, *bodies = sent
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], told, b"".join(message.get("body", b"") for message in bodies))


def form(files: dict[str, bytes], boundary: str = "x1x2x3") -> tuple[list[bytes], str]:
    """The body of a form with these files, in one part, and its content type."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'.encode() + content
        for name, content in files.items()
    ]
    return [b"\r\n".join([*parts, f"--{boundary}--\r\n".encode()])], f"multipart/form-data; boundary={boundary}"


def predictor(model: Model) -> Any:
    """A model as the application asks for it, without Ray."""

    async def predict(contents: list[bytes], with_pictures: bool) -> list[Answer]:
        return [_answer(model, model.decoded(content), with_pictures) for content in contents]

    return predict


def _answer(model: Model, pixels: np.ndarray | str, with_picture: bool) -> Answer:
    if isinstance(pixels, str):
        return Answer(reason=pixels)
    return answer(model.probabilities(np.stack([pixels]))[0], pixels, with_picture)
