"""A request for a server, checked whole before anything expensive: free of torch, Ray and the web framework."""

from __future__ import annotations

import importlib.util
import socket
from dataclasses import dataclass

from translearn.deploy.web.limits import Limits, limit_faults
from translearn.errors import InputError, fault, raise_faults
from translearn.models.model_info import ModelInfo, find_model, read_info
from translearn.storage.folder import Folder

_PACKAGES = ("fastapi", "python_multipart", "starlette", "uvicorn")


@dataclass(frozen=True)
class ServeRequest:
    """What is to be served, and where.

    Attributes:
        folder: The model directory.
        info: The model's description.
        host: The address to listen on.
        port: The port.
        replicas: How many times the model is loaded.
        limits: Of a caller's request.
    """

    folder: Folder
    info: ModelInfo
    host: str
    port: int
    replicas: int
    limits: Limits

    @property
    def url(self) -> str:
        """Where the server answers."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def check_serve(model: str, host: str, port: int, replicas: int, limits: Limits) -> ServeRequest:
    """Check a request.

    Raises:
        InputError: With every fault.
        StorageError: The storage cannot be reached.
    """
    faults = [*_package_faults(), *limit_faults(limits)]
    folder, info = find_model(model), None
    try:
        info = read_info(folder)
    except InputError as error:
        faults += str(error).splitlines()
    if replicas < 1:
        faults.append(fault("--replicas", "must be at least 1", replicas, ""))
    if not 1 <= port <= 65535:
        faults.append(fault("--port", "must be from 1 to 65535", port, ""))
    elif reason := _unusable(host, port):
        faults.append(fault("--host and --port", "must be a free address of this machine", reason, "Give another one."))
    raise_faults(faults)
    assert info is not None
    return ServeRequest(folder, info, host, port, replicas, limits)


def _package_faults() -> list[str]:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    rule, remedy = f"must find the packages {', '.join(_PACKAGES)}", "Run: pip install 'translearn[serve]'."
    return [fault("serve", rule, f"no {', no '.join(missing)}", remedy)] if missing else []


def _unusable(host: str, port: int) -> str:
    """Return what is wrong with an address to listen on; empty where nothing is."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return f"{host}:{port} ({error.strerror})"
    return ""
