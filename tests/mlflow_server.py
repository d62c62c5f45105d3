"""A real MLflow server on this machine, in an environment of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import version
from pathlib import Path

_UV = Path(sys.executable).parent / "uv"
_START_S = 240.0


def tool() -> list[str]:
    """The command line of an MLflow of the client's version; uv keeps its environment."""
    return [str(_UV), "tool", "run", "--python", sys.executable, "--from", f"mlflow=={version('mlflow-skinny')}"]


def why_not() -> str:
    """Why there can be no server here, as without a package index; empty where there can."""
    if not _UV.exists():
        return "no uv beside Python"
    made = subprocess.run([*tool(), "mlflow", "--version"], capture_output=True, text=True)
    return made.stderr.strip()[-300:] if made.returncode else ""


class MlflowServer:
    """``mlflow server`` on a free port of 127.0.0.1; it can be stopped and started again, and keeps its runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Returns when it answers."""
        where = ["--host", "127.0.0.1", "--port", str(self._port), "--workers", "1"]
        store = ["--backend-store-uri", f"sqlite:///{self._folder}/mlflow.db"]
        store += ["--default-artifact-root", str(self._folder / "artifacts")]
        with open(self._folder / "server.log", "ab") as log:
            self._process = subprocess.Popen(
                [*tool(), "mlflow", "server", *where, *store],
                stdout=log,
                stderr=log,
                start_new_session=True,  # a group of its own, which `stop` ends: it starts processes
                env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
            )
        self._wait()

    def stop(self) -> None:
        """Ends it, and every process that it started."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _wait(self) -> None:
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{self.address}/health", timeout=5).close()
            except OSError:
                time.sleep(0.5)
            else:
                return
        raise TimeoutError((self._folder / "server.log").read_text()[-2000:])
