"""A study as a job of a Ray cluster: checked here, and sent there.

What is sent is this package and the study file, and nothing else: no data, no studies, no secrets.
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from translearn.cluster.jobs.reach import check_reachable
from translearn.cluster.start.local import bypass_proxies
from translearn.config import load_spec
from translearn.config.provenance import VARIABLE, source_commit
from translearn.errors import InputError, TranslearnError, fault

_DEFAULT_ADDRESS, _SCHEMES = "http://127.0.0.1:8265", ("http://", "https://")
_PACKAGE = Path(__file__).parents[2]


def address_of(address: str | None) -> str:
    """Return the address of a job interface.

    The given one, else ``RAY_API_SERVER_ADDRESS``, else a ``RAY_ADDRESS`` that is one, as `ray job submit` takes it,
    else port 8265 here.

    Raises:
        InputError: It is none; says where it stands.
    """
    of_ray = os.environ.get("RAY_ADDRESS", "")
    given = {
        "--address": address,
        "RAY_API_SERVER_ADDRESS": os.environ.get("RAY_API_SERVER_ADDRESS"),
        "RAY_ADDRESS": of_ray if of_ray.startswith(_SCHEMES) else None,
    }
    where, found = next(((name, value) for name, value in given.items() if value), ("", _DEFAULT_ADDRESS))
    if not found.startswith(_SCHEMES):
        rule, remedy = "must be the address of a Ray dashboard", f"For example {_DEFAULT_ADDRESS}."
        raise InputError(fault(where, rule, repr(found), remedy))
    return found


def connected(address: str | None = None) -> JobSubmissionClient:
    """Connect to a cluster's job interface.

    Raises:
        InputError: The address is none.
        TranslearnError: Nobody answers there, or asks for another token.
    """
    where = address_of(address)
    bypass_proxies()  # for a tunnel to this machine
    try:
        return JobSubmissionClient(where)
    except AuthenticationError as error:
        remedy = "Set RAY_AUTH_MODE=token, and put the cluster's token into ~/.ray/auth_token."
        raise TranslearnError(f"{where}: refuses this machine's token. {remedy}") from error
    except (OSError, RuntimeError) as error:
        remedy = "Open a tunnel to the cluster, as `ray dashboard cluster.yaml` does, or name another --address."
        raise TranslearnError(f"{where}: does not answer ({error}). {remedy}") from error


def submit(
    study: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    address: str | None = None,
    flags: Sequence[str] = (),
    client: Any = None,
    announce: Callable[[str], None] | None = None,
) -> str:
    """Submit ``translearn run STUDY.yaml`` as a job of a cluster; return as soon as the cluster has it.

    The file is checked first, here and now; data, weights and storage are checked there.

    Args:
        study: The study file.
        overrides: Dotted paths and YAML values, for example ``search.trials=8``.
        address: See ``address_of``.
        flags: More arguments of the command, for example ``--dry-run``.
        client: A connection that is there already; a new one when None.
        announce: Takes the job's id before anything is sent, so that it is known however the sending ends.

    Returns:
        The job's id; ``watch`` shows what the job prints, and returns its exit code.

    Raises:
        InputError: The file breaks a rule, or names a place that the cluster can not reach.
        TranslearnError: The cluster does not answer, or does not take the job.

    Example:
        >>> job_id = submit("pets.yaml", ["storage=s3://bucket/studies"])  # doctest: +SKIP
        >>> watch(job_id).code  # doctest: +SKIP
        0
    """
    spec = load_spec(Path(study), tuple(overrides), as_written=True)
    check_reachable(spec)
    client = client or connected(address)
    job_id = f"{spec.name}-{uuid.uuid4().hex[:8]}"
    sets = [part for override in overrides for part in ("--set", override)]
    command = shlex.join(["python", "-m", "translearn.cli", "run", Path(study).name, *sets, *flags])
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder), Path(study))
        if announce:
            announce(job_id)
        _send(client, job_id, command, {"working_dir": folder, "env_vars": {VARIABLE: source_commit() or ""}})
    return job_id


def _fill(folder: Path, study: Path) -> None:
    shutil.copytree(_PACKAGE, folder / _PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(study, folder)


def _send(client: Any, job_id: str, command: str, environment: dict[str, Any]) -> None:
    try:
        client.submit_job(entrypoint=command, submission_id=job_id, runtime_env=environment)
    except KeyboardInterrupt:
        remedy = f"`translearn submit --attach {job_id}` shows whether it has begun."
        raise TranslearnError(f"job {job_id}: interrupted while it was sent. {remedy}") from None
    except (OSError, RuntimeError) as error:
        remedy = "If the connection was lost, `translearn submit --attach` with this id shows whether it has begun."
        raise TranslearnError(f"job {job_id}: was not taken by the cluster ({error}). {remedy}") from error
