"""A real S3 server on this machine, whose answers can be made late, or errors."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pyarrow.fs as pafs
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "bucket"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "a-secret-that-nobody-prints",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class S3Server:
    """Moto's server on a free port of 127.0.0.1, with one bucket; ``close`` ends it.

    Attributes:
        requests: The method and path of each request, in order of arrival.
    """

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # it logs every request
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._lock, self._failing, self._late_s = threading.Lock(), Counter[str](), 0.0
        self.requests: list[tuple[str, str]] = []
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        maker = pafs.S3FileSystem(
            access_key="key",
            secret_key="any",
            region="us-east-1",
            endpoint_override=self.endpoint,
            allow_bucket_creation=True,
        )
        maker.create_dir(BUCKET)

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def address(self, path: str) -> str:
        """The address of a path in the bucket."""
        return f"s3://{BUCKET}/{path}?region=us-east-1&scheme=http&endpoint_override={self.endpoint}"

    def fail(self, method: str, times: int, status: str = "503 Slow Down") -> None:
        """The next so many requests of a method are answered by an error."""
        with self._lock:
            self._failing[f"{method} {status}"] = times

    def delay(self, seconds: float) -> None:
        """The next request is answered after so many seconds."""
        self._late_s = seconds

    def recover(self) -> None:
        """From here on all requests are answered as they should be."""
        with self._lock:
            self._failing.clear()
        self._late_s = 0.0
        self.requests.clear()

    def close(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        self.requests.append((method, environ["PATH_INFO"]))
        seconds, self._late_s = self._late_s, 0.0
        time.sleep(seconds)
        status = self._status(method)
        if status is None:
            return self._app(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(status, [("Content-Length", "0")])
        return []

    def _status(self, method: str) -> str | None:
        with self._lock:
            for kind in self._failing:
                failing, _, status = kind.partition(" ")
                if failing == method and self._failing[kind] > 0:
                    self._failing[kind] -= 1
                    return status
        return None
