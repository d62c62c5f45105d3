"""The address of the Ray to connect to, checked before Ray tries it: Ray waits a minute for a cluster that is gone."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from ray._private import services
from ray._private.grpc_utils import init_grpc_channel
from ray._private.ray_constants import GLOBAL_GRPC_OPTIONS
from ray.core.generated.gcs_service_pb2 import GetClusterIdRequest
from ray.core.generated.gcs_service_pb2_grpc import NodeInfoGcsServiceStub
from ray.exceptions import AuthenticationError

from translearn.errors import InputError, fault

LOCAL_RAY, _AUTO, _VARIABLE = "local", "auto", "RAY_ADDRESS"
_ANSWER_S = 5.0
_RULE = "must be HOST:PORT of a Ray cluster, auto or local"
_SCHEMES = {
    "http": "That is a dashboard, for `translearn submit`.",
    "https": "That is a dashboard, for `translearn submit`.",
    "ray": "Ray Client cannot train: use `translearn submit`, or auto on a machine of the cluster.",
}


def find_address(given: str | None) -> tuple[str, str]:
    """Return where the address stands and the address: the given one, else ``RAY_ADDRESS``, else ``local``."""
    of_variable = os.environ.get(_VARIABLE)
    if of_variable and given in (None, "", _AUTO):  # for Ray, the variable says what `auto` is
        return _VARIABLE, of_variable
    return "--address", given or LOCAL_RAY


def check_address(where: str, address: str) -> None:
    """Check that a Ray answers at an address, within seconds.

    Args:
        where: Where the address stands, for messages.
        address: As ``find_address`` returns it.

    Raises:
        InputError: It is no address of a cluster, no cluster answers there, or it asks for another token.
    """
    if address == LOCAL_RAY:
        return
    scheme, separator, _ = address.partition("://")
    if separator:
        raise InputError(fault(where, _RULE, repr(address), _SCHEMES.get(scheme, "")))
    found = _running_here(where) if address == _AUTO else address
    host, _, port = found.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 2**16):
        raise InputError(fault(where, _RULE, repr(address), ""))
    host = host.strip("[]")
    reached = services.resolve_ip_for_localhost(host)  # Ray takes another address of this machine for 127.0.0.1
    with joining(where, address):
        reason = _silence(reached, int(port))
    if reason:
        raise _gone(where, found, reason if reached == host else f"{reason} at {reached}, where Ray looks for it")


@contextmanager
def joining(where: str, address: str) -> Iterator[None]:
    """Turn what Ray raises when it cannot join a cluster into one line; a local Ray's errors stay as they are.

    Raises:
        InputError: The cluster has another Ray or Python, or another token, or does not let this process in.
    """
    try:
        yield
    except AuthenticationError as error:
        remedy = "Set RAY_AUTH_MODE=token, and put the cluster's token into ~/.ray/auth_token."
        raise InputError(fault(where, "must be of a cluster that takes this token", repr(address), remedy)) from error
    except (OSError, RuntimeError, ValueError) as error:
        if address == LOCAL_RAY:
            raise
        versions = re.findall(r"(?:Ray|Python): (\S+)", str(error))
        if "Version mismatch" in str(error) and len(versions) == 4:
            raise InputError(_other_versions(where, *versions)) from error
        raise _gone(where, address, str(error).strip().partition("\n")[0]) from error


def _running_here(where: str) -> str:
    try:
        return str(services.get_ray_address_from_environment(_AUTO, None))
    except ConnectionError:
        remedy = "Start one with `ray start --head`, or name its HOST:PORT."
        raise InputError(fault(where, "must name a Ray that runs", "auto, and none runs here", remedy)) from None


def _silence(host: str, port: int) -> str:
    """Return why no Ray answers; empty where one does. A stopped process and other servers take connections too.

    Raises AuthenticationError where it refuses this process's token, which Ray would try for a minute.
    """
    try:
        socket.create_connection((host, port), timeout=_ANSWER_S).close()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    with init_grpc_channel(f"{host}:{port}", GLOBAL_GRPC_OPTIONS) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=_ANSWER_S)
            NodeInfoGcsServiceStub(channel).GetClusterId(GetClusterIdRequest(), timeout=_ANSWER_S)
        except grpc.FutureTimeoutError:
            return f"no Ray answers within {_ANSWER_S:g} s"
        except grpc.RpcError as error:  # Ray says more of any other
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                raise AuthenticationError(error.details()) from error
    return ""


def _gone(where: str, address: str, reason: str) -> InputError:
    remedy = (
        f"Start the cluster, name another, or {'unset it' if where == _VARIABLE else 'leave it out'} for a local Ray."
    )
    return InputError(fault(where, "must be the address of a Ray cluster that runs", f"{address!r} ({reason})", remedy))


def _other_versions(where: str, ray_there: str, python_there: str, ray_here: str, python_here: str) -> str:
    rule = f"must be of a cluster with Ray {ray_here} and Python {python_here}, as here"
    remedy = "Use an environment with the cluster's versions."
    return fault(where, rule, f"Ray {ray_there} and Python {python_there}", remedy)
