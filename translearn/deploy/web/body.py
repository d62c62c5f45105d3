"""Images in the body of a request, read within limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from translearn.deploy.web.limits import Limits

_MAX_FIELDS = 16
_MOST_READ = 2  # times the most bytes of a request


class RefusedError(Exception):
    """A request that is refused: the status, then what the caller is told."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.args[0])

    @property
    def message(self) -> str:
        """What the caller is told."""
        return str(self.args[1])


@dataclass(frozen=True)
class Upload:
    """An image of a request: its file's name, if it has one, and its encoded bytes."""

    name: str | None
    content: bytes


async def uploads(request: Request, limits: Limits) -> list[Upload]:
    """Return the images of a request: the files of a form, else the whole body as one.

    Raises:
        RefusedError: It is too large, too slow, malformed, or has no image.
    """
    try:
        body = await asyncio.wait_for(_body(request, limits), limits.timeout_s)
    except TimeoutError:
        raise RefusedError(408, f"the request must arrive within {limits.timeout_s:g} s") from None
    except ClientDisconnect:
        raise RefusedError(400, "the request must arrive whole") from None
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        found = await _files(request, body, limits)
    else:
        found = [Upload(None, body)] if body else []
    if not found:
        raise RefusedError(400, "must hold an image, as the body itself or as files of a multipart form")
    return found


async def _body(request: Request, limits: Limits) -> bytes:
    """Return the body; one that is a little too large is thrown away, as few callers hear an answer while they send."""
    declared, most = request.headers.get("content-length", ""), _MOST_READ * limits.max_bytes
    too_large = RefusedError(413, f"must have at most {limits.max_mb:g} MB")
    if declared.isdigit() and int(declared) > most:
        raise too_large
    body, num_bytes = bytearray(), 0
    async for part in request.stream():
        num_bytes += len(part)
        if num_bytes > most:
            raise too_large
        if num_bytes <= limits.max_bytes:
            body += part
    if num_bytes > limits.max_bytes:
        raise too_large
    return bytes(body)


async def _files(request: Request, body: bytes, limits: Limits) -> list[Upload]:
    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    bounds = {"max_files": limits.max_images, "max_fields": _MAX_FIELDS}
    try:
        form = await MultiPartParser(request.headers, whole(), **bounds).parse()
    except MultiPartException as error:
        raise RefusedError(400, f"must be a multipart form ({error.message})") from None
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    try:
        return [Upload(file.filename or None, await file.read()) for file in files]
    finally:
        await form.close()
