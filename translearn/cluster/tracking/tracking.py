"""What the driver tells an MLflow server while a study runs. No failure of the server reaches the study."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from translearn.cluster.mlflow_client import connect
from translearn.cluster.mlflow_runs import Experiment
from translearn.cluster.outbox import Outbox
from translearn.cluster.run_report import RunReport
from translearn.cluster.tracking.console import say
from translearn.storage.uris import masked

_WAIT_S, _WAIT_INTERRUPTED_S = 60.0, 10.0


class Tracker:
    """Sends reports to an experiment, in a thread of its own."""

    def __init__(self, address: str, experiment: str, study: str) -> None:
        """See ``mlflow_runs.Experiment``."""
        self._experiment = Experiment(functools.partial(connect, address), experiment, study)
        self._outbox = Outbox(_warn)

    def tell(self, report: RunReport) -> None:
        """Takes a report; returns at once."""
        self._outbox.put(lambda: self._experiment.take(report))

    def close(self) -> None:
        """Waits for what is not sent yet, for a minute at most."""
        self._outbox.close(_WAIT_S)

    def interrupt(self) -> None:
        """Likewise, for seconds; runs that have not ended are said to be interrupted."""
        self._outbox.put(self._experiment.kill)
        self._outbox.close(_WAIT_INTERRUPTED_S)


def _warn(why: str) -> None:
    say(f"warning: MLflow: {masked(why)}. Nothing more is sent; the study goes on. Its next command sends the rest.")


_tracker: Tracker | None = None


@contextmanager
def tracking(address: str, experiment: str, study: str) -> Iterator[None]:
    """Sends what ``tell`` is told as long as the block runs."""
    global _tracker
    say(f"MLflow: experiment {experiment} at {masked(address)}")
    _tracker = tracker = Tracker(address, experiment, study)
    try:
        yield
    except BaseException:
        tracker.interrupt()
        raise
    else:
        tracker.close()
    finally:
        _tracker = None


def tell(address: str | None, report: RunReport) -> None:
    """Sends a report of a study that names a server; does nothing for others."""
    if _tracker and address is not None:
        _tracker.tell(report)
