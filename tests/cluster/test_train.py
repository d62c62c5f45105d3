"""Training in a thread: its failures come back, and Ctrl-C stays with this process. No Ray is started."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray.train import ControllerError, TrainingFailedError, WorkerGroupError

from translearn.cluster.training.runs import _failures_told, _fit
from translearn.errors import WorkersLostError
from translearn.storage.folder import Folder


class Trainer:
    """Stands for Ray's: it does what it is given."""

    def __init__(self, fit: Any) -> None:
        self.fit = fit


def test_a_failure_of_training_comes_back() -> None:
    def fail() -> None:
        raise SystemExit("out of workers")

    with pytest.raises(SystemExit, match="out of workers"):
        _fit([Trainer(fail)])


def test_a_failure_is_raised_when_the_other_groups_have_ended(capsys: pytest.CaptureFixture[str]) -> None:
    others, failed = [], threading.Event()

    def fail() -> None:
        failed.set()
        raise ControllerError(RuntimeError("no workers"))

    def go_on() -> None:
        failed.wait(10)
        others.append("done")

    with pytest.raises(ControllerError):
        _fit([Trainer(fail), Trainer(go_on), Trainer(go_on)])
    assert others == ["done", "done"]
    assert capsys.readouterr().out == "warning: a group of workers failed, the others go on: no workers\n"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Python's own answer to Ctrl-C, which a process that was started in the background does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_during_training_is_a_keyboard_interrupt() -> None:
    release = threading.Event()

    def fit() -> None:
        signal.raise_signal(signal.SIGINT)  # Python runs the handler in the main thread, which waits
        release.wait(10)

    with pytest.raises(KeyboardInterrupt):
        _fit([Trainer(fit)])
    release.set()


def test_training_runs_outside_the_main_thread_where_ray_train_would_take_ctrl_c_for_good() -> None:
    threads: list[threading.Thread] = []
    _fit([Trainer(lambda: threads.append(threading.current_thread()))])
    assert threads[0] is not threading.main_thread()


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (
            WorkerGroupError(
                "all of it", {0: RuntimeError("Traceback ...\n  line\nStorageError: disk/x: is full"), 1: KeyError()}
            ),
            "StorageError: disk/x: is full",
        ),
        (ControllerError(RuntimeError("no workers\nin a minute")), "in a minute"),
    ],
)
def test_ray_trains_failures_are_told_as_ours(tmp_path: Path, error: TrainingFailedError, cause: str) -> None:
    out = Folder.open(tmp_path / "refit")
    with pytest.raises(WorkersLostError) as told, _failures_told(out):
        raise error
    assert str(told.value) == (
        f"training in {out.uri}: must end within 3 new starts, but got {cause}. "
        "Run the same command again: it goes on from the last checkpoint."
    )
    assert told.value.__cause__ is error


def test_other_errors_of_training_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), _failures_told(Folder.open(tmp_path)):
        raise KeyboardInterrupt
