"""The lines of a submitted job, from its beginning to its end, however often the connection is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from translearn.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_FAILED, TranslearnError

#: Three minutes and a half: a laptop that changes networks, a tunnel that is opened again.
WAITS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0)
LOST = (OSError, RuntimeError, aiohttp.ClientError)  # RuntimeError: Ray's, where a connection ends amid the log


class Client(Protocol):
    """The part of ``ray.job_submission.JobSubmissionClient`` that is used."""

    def tail_job_logs(self, job_id: str) -> Any:
        """Return an asynchronous iterator over all that the job has printed and will print."""

    def get_job_info(self, job_id: str) -> Any:
        """Return the job's ``status``, ``driver_exit_code`` and ``message``."""

    def stop_job(self, job_id: str) -> bool:
        """Ask the job to end."""


@dataclass(frozen=True)
class Ended:
    """The end of a job.

    Attributes:
        code: The command's exit code: 0 done, 1 failed, 2 bad input.
        message: What Ray says of the end.
        last_line: The last line that the job printed.
    """

    code: int
    message: str
    last_line: str


class ConnectionLostError(TranslearnError):
    """The cluster could not be reached again; the job there goes on."""


class Follower:
    """Shows what a job prints, once, whoever breaks off in between.

    Args:
        client: The connection to the cluster.
        job_id: The job.
        show: Takes the next piece of text.
        tell: Takes a line about the connection.
        waits_s: Seconds before each attempt to connect again; when they are used up, it is given up.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        client: Client,
        job_id: str,
        show: Callable[[str], None],
        tell: Callable[[str], None],
        waits_s: Sequence[float] = WAITS_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._job_id = client, job_id
        self._show, self._tell, self._waits_s, self._sleep = show, tell, waits_s, sleep
        self._num_shown, self._end = 0, ""

    def follow(self) -> Ended:
        """Until the job has ended; called again after an interruption, it goes on where it was.

        Raises:
            ConnectionLostError: The connection was lost, and could not be made again.
        """
        waits = iter(self._waits_s)
        while True:
            before = self._num_shown
            try:
                asyncio.run(self._pass_on())
                info = self._client.get_job_info(self._job_id)
                if info.status.is_terminal():
                    return Ended(_code(info), info.message or "", self._end.strip())
                self._sleep(self._waits_s[0])
            except LOST as error:
                if self._num_shown > before:
                    waits = iter(self._waits_s)
                self._wait(waits, error)

    def _wait(self, waits: Iterator[float], error: Exception) -> None:
        seconds = next(waits, None)
        if seconds is None:
            raise ConnectionLostError(f"the connection was lost ({error})") from error
        self._tell(f"the connection was lost ({error}); the job goes on. Next attempt in {seconds:g} s.")
        self._sleep(seconds)

    async def _pass_on(self) -> None:
        """Shows what is new: each connection tells the log from its beginning."""
        seen = 0
        async for text in self._client.tail_job_logs(self._job_id):
            new = text[max(0, self._num_shown - seen) :]
            seen += len(text)
            if new:
                self._num_shown = seen
                self._end = _last_line(self._end + new)
                self._show(new)


def _last_line(text: str) -> str:
    """Return a text from its last line with content on, with its line end."""
    return text[text.rstrip().rfind("\n") + 1 :]


def _code(info: Any) -> int:
    """Return the exit code; a driver that was stopped or killed, or never started, has failed."""
    if info.status == "SUCCEEDED":
        return EXIT_DONE
    return info.driver_exit_code if info.driver_exit_code in (EXIT_FAILED, EXIT_BAD_INPUT) else EXIT_FAILED
