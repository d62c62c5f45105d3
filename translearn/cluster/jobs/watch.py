"""Watching a job from a terminal: until it ends, or until the user leaves it or stops it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from translearn.cluster.jobs.connection import address_of, connected
from translearn.cluster.jobs.follow import LOST, ConnectionLostError, Follower
from translearn.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_FAILED, InputError, TranslearnError, fault

_STATUS = {EXIT_DONE: "done", EXIT_FAILED: "failed", EXIT_BAD_INPUT: "bad input"}


@dataclass(frozen=True)
class Watched:
    """The outcome of watching a job.

    Attributes:
        job_id: The job.
        code: Its exit code: 0 done, 1 failed, 2 bad input. 1 where it goes on unwatched.
        status: ``done``, ``failed``, ``bad input``, ``detached`` by the user, or ``lost`` with the connection.
        message: Why, for people.
        last_line: The last line that the job printed.
    """

    job_id: str
    code: int
    status: str
    message: str
    last_line: str = ""


def watch(
    job_id: str,
    address: str | None = None,
    client: Any = None,
    wants_stop: Callable[[], bool] | None = None,
    follower: Callable[..., Follower] = Follower,
) -> Watched:
    """Show the lines of a job, from the first one on, until it ends; outlast a lost connection.

    Ctrl-C asks on a terminal whether to stop the job or to leave it alone; elsewhere it leaves it alone.

    Args:
        job_id: The job, as ``submit`` returned it.
        address: See ``connection.address_of``.
        client: A connection that is there already; a new one when None.
        wants_stop: Asks at Ctrl-C whether to stop the job; None asks on the terminal.
        follower: Makes what follows the job.

    Raises:
        InputError: There is no such job, or no cluster answers.
        TranslearnError: The cluster answers no more.
    """
    where = address_of(address)
    client = client or connected(address)
    _check_known(client, job_id, where)
    following = follower(client, job_id, _show, tell)
    while True:
        try:
            ended = following.follow()
            return Watched(job_id, ended.code, _STATUS[ended.code], ended.message, ended.last_line)
        except ConnectionLostError as error:
            return Watched(job_id, EXIT_FAILED, "lost", f"{error}. {_left(job_id, where)}")
        except KeyboardInterrupt:
            if not (wants_stop or _ask)():
                return Watched(job_id, EXIT_FAILED, "detached", _left(job_id, where))
            _stop(client, job_id, where)


def how_to_attach(job_id: str, address: str) -> str:
    """Return the sentence that says how to watch a job again."""
    return f"Watch it again: translearn submit --attach {job_id} --address {address}"


def _left(job_id: str, where: str) -> str:
    return f"Job {job_id} goes on. {how_to_attach(job_id, where)}"


def tell(line: str) -> None:
    """Print a line of ours; the job's own lines alone go to the standard output."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _check_known(client: Any, job_id: str, where: str) -> None:
    try:
        client.get_job_info(job_id)
    except RuntimeError as error:
        remedy = f"`ray job list --address {where}` lists them."
        raise InputError(fault("--attach", f"must be a job of {where}", repr(job_id), remedy)) from error
    except LOST as error:
        raise TranslearnError(f"{where}: does not answer ({error}). {_left(job_id, where)}") from error


def _ask() -> bool:
    """Return whether the user wants the job stopped; where there is nobody to ask, it goes on."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("\nCtrl-C: leave the job running and detach (Enter), or stop it (s)? ")
    sys.stderr.flush()
    try:
        return sys.stdin.readline().strip().lower() in ("s", "stop")
    except KeyboardInterrupt:
        return False


def _stop(client: Any, job_id: str, where: str) -> None:
    try:
        client.stop_job(job_id)
    except LOST as error:
        remedy = f"Try `ray job stop --address {where} {job_id}`."
        raise TranslearnError(f"job {job_id}: could not be stopped ({error}). {remedy}") from error
    tell(f"stopping job {job_id}")
