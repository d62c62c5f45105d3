"""A cluster's job interface, played: what it prints, where its connection breaks, and how it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from ray.job_submission import JobStatus

from translearn.cluster.jobs.follow import Follower


class PlayedClient:
    """Stands for ``JobSubmissionClient``.

    Args:
        connections: For each connection what it tells of the log, from its beginning; an exception breaks it off.
        status: How the job ends.
        code: The driver's exit code.
        message: What Ray says of the end.
    """

    def __init__(
        self, connections: list[list[str | BaseException]], status: str = "SUCCEEDED", code: int | None = 0, message=""
    ) -> None:
        self.connections, self.submitted, self.stopped = list(connections), [], []
        self._info = SimpleNamespace(status=JobStatus(status), driver_exit_code=code, message=message)

    def submit_job(self, **job: Any) -> str:
        self.submitted.append(job)
        return str(job["submission_id"])

    async def tail_job_logs(self, job_id: str) -> AsyncIterator[str]:
        for text in self.connections.pop(0):
            if isinstance(text, BaseException):
                raise text
            yield text

    def get_job_info(self, job_id: str) -> Any:
        is_over = not self.connections
        return self._info if is_over else SimpleNamespace(status=JobStatus.RUNNING, driver_exit_code=None, message="")

    def stop_job(self, job_id: str) -> bool:
        self.stopped.append(job_id)
        return True


class Screen:
    """What a person sees, and how long they wait."""

    def __init__(self) -> None:
        self.shown, self.told, self.slept = "", [], []

    def show(self, text: str) -> None:
        self.shown += text

    def follower(self, client: PlayedClient, job_id: str = "job", waits_s: tuple[float, ...] = (1.0, 2.0)) -> Follower:
        return Follower(client, job_id, self.show, self.told.append, waits_s, self.slept.append)
