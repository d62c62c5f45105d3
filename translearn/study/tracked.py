"""A study on an MLflow server: its epochs while it runs; then what it has kept, which is all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from translearn.cluster.run_report import RunReport
from translearn.cluster.tracking.console import say
from translearn.cluster.tracking.tracking import tell, tracking
from translearn.cluster.training.worker import Job
from translearn.config import StudySpec
from translearn.errors import TranslearnError
from translearn.storage.folder import Folder
from translearn.study.directory import PROVENANCE
from translearn.study.run_reports import model_params, reports, steps


@contextmanager
def tracked(spec: StudySpec, folder: Folder) -> Iterator[None]:
    """Sends the study to the server that it names, as long as the block runs; does nothing where it names none."""
    if spec.cluster.mlflow is None:
        yield
        return
    with tracking(spec.cluster.mlflow, spec.name, _identity(folder)):
        yield
        catch_up(spec, folder)


def catch_up(spec: StudySpec, folder: Folder) -> None:
    """Tells all that the study has kept; what the server has is not sent again."""
    if spec.cluster.mlflow is None:
        return
    try:
        for report in reports(spec, folder):
            tell(spec.cluster.mlflow, report)
    except TranslearnError as error:  # a file that the study itself may never need again
        say(f"warning: MLflow: not all could be sent: {error}")


def teller(spec: StudySpec, stage: str, jobs: Iterable[Job]) -> Callable[[dict], None]:
    """What tells the epochs of these jobs."""
    params = {job.run: model_params(job.info) for job in jobs if job.info}
    return lambda row: tell(spec.cluster.mlflow, RunReport(stage, row["run"], params.get(row["run"], {}), steps([row])))


def _identity(folder: Folder) -> str:
    """Tells a study from an earlier one of its name, and stays the same where it goes on."""
    known = folder.read_json(PROVENANCE)
    return hashlib.sha256(f"{known['started']} {known['spec_sha256']}".encode()).hexdigest()[:16]
