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

from translearn.cluster.jobs.connection import connected
from translearn.cluster.jobs.reach import check_reachable
from translearn.config import load_spec
from translearn.config.provenance import VARIABLE, source_commit
from translearn.errors import TranslearnError

_PACKAGE = Path(__file__).parents[2]


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
        address: See ``connection.address_of``.
        flags: More arguments of the command, for example ``--dry-run``.
        client: A connection that is there already; a new one when None.
        announce: Takes the job's id before anything is sent, so that it is known however the sending ends.

    Returns:
        The job's id; ``watch`` shows what the job prints, and returns its exit code.

    Raises:
        InputError: The file breaks a rule, or names a place that the cluster can not reach; no cluster answers.
        TranslearnError: The cluster does not take the job.

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
