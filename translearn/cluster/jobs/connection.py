"""The connection to a cluster's job interface: where its address comes from, and that somebody answers there."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from http.client import HTTPException

from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from translearn.cluster.start.local import bypass_proxies
from translearn.errors import InputError, fault

_DEFAULT_ADDRESS, _SCHEMES = "http://127.0.0.1:8265", ("http://", "https://")
_ANSWER_S = 10.0


def address_of(address: str | None) -> str:
    """Return the address of a job interface.

    The given one, else ``RAY_API_SERVER_ADDRESS``, else a ``RAY_ADDRESS`` that is one, as `ray job submit` takes it,
    else port 8265 here.

    Raises:
        InputError: It is none; says where it stands.
    """
    return _found(address)[1]


def connected(address: str | None = None) -> JobSubmissionClient:
    """Connect to a cluster's job interface, within seconds.

    Raises:
        InputError: The address is none, nobody answers there, or the cluster asks for another token.
    """
    where, found = _found(address)
    bypass_proxies()  # for a tunnel to this machine
    try:
        _check_answer(found)
        return JobSubmissionClient(found)
    except AuthenticationError as error:
        remedy = "Set RAY_AUTH_MODE=token, and put the cluster's token into ~/.ray/auth_token."
        raise InputError(fault(where, "must be of a cluster that takes this token", repr(found), remedy)) from error
    except (OSError, RuntimeError, KeyError) as error:  # KeyError: another server's version
        rule, got = "must be the address of a Ray dashboard that answers", f"{found!r} ({' '.join(str(error).split())})"
        remedy = "Open a tunnel to the cluster, as `ray dashboard cluster.yaml` does, or name another --address."
        raise InputError(fault(where, rule, got, remedy)) from error


def _found(address: str | None) -> tuple[str, str]:
    """Return where the address of a job interface stands, and the address."""
    of_ray = os.environ.get("RAY_ADDRESS", "")
    given = {
        "--address": address,
        "RAY_API_SERVER_ADDRESS": os.environ.get("RAY_API_SERVER_ADDRESS"),
        "RAY_ADDRESS": of_ray if of_ray.startswith(_SCHEMES) else None,
    }
    where, found = next(((name, value) for name, value in given.items() if value), ("--address", _DEFAULT_ADDRESS))
    if not found.startswith(_SCHEMES):
        rule, remedy = "must be the address of a Ray dashboard", f"For example {_DEFAULT_ADDRESS}."
        raise InputError(fault(where, rule, repr(found), remedy))
    return where, found


def _check_answer(address: str) -> None:
    """Raise OSError where no web server answers within seconds: Ray's client waits for ever."""
    try:
        urllib.request.urlopen(address, timeout=_ANSWER_S).close()
    except urllib.error.HTTPError:  # an answer: Ray's client says what is asked for
        return
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise TimeoutError(f"no answer within {_ANSWER_S:g} s") from error
        raise OSError(getattr(reason, "strerror", None) or str(reason)) from error
