"""Groups of workers, and training in a thread: failures come back, and Ctrl-C stays with this process. No Ray."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.train import ControllerError, TrainingFailedError, WorkerGroupError

from translearn.cluster.data.shared import Shared
from translearn.cluster.resources import plan_resources
from translearn.cluster.training import runs
from translearn.cluster.training.job_queue import WAIT, JobQueue
from translearn.cluster.training.layout import Layout
from translearn.cluster.training.runs import WorkerGroups, _failures_told, in_thread
from translearn.cluster.training.worker import Job
from translearn.config import ClusterSpec, TrainSpec
from translearn.errors import WorkersLostError
from translearn.storage.folder import Folder
from translearn.training.config import TrainConfig


class Handle:
    """Stands for the handle of an actor: its methods are called at once."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=getattr(self._actor, name))


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return what makes groups whose trainers are functions of the queue and the number of the group."""

    def made(*fits: Any) -> WorkerGroups:
        def trainer(orders: Any, *_: Any) -> Any:
            return SimpleNamespace(fit=lambda: fits[orders.group](orders.queue, orders.group))

        monkeypatch.setattr(runs, "_trainer", trainer)
        monkeypatch.setattr(runs, "_queue", lambda: Handle(JobQueue()))
        monkeypatch.setattr(runs, "_layout", lambda *_: Layout(len(fits), 1, 1, 0))
        for name in ("get", "put"):
            monkeypatch.setattr(ray, name, lambda value: value)
        monkeypatch.setattr(ray, "kill", lambda _: None)
        nodes = [{"CPU": 2.0}]
        return WorkerGroups(Folder.open(tmp_path), plan_resources(ClusterSpec(), nodes), 0.0, spare_cpus=False)

    return made


def job(run: str) -> Job:
    return Job(run, Shared(None), "scratch", TrainConfig(0, 0.1, 2, 0, TrainSpec(precision="fp32")))


def train(queue: Any, number: int) -> None:
    """Do jobs as they come."""
    ended = None
    while (found := queue.take.remote(number, ended)) is not None:
        ended = None
        if found != WAIT:
            ended = found[0].run
            queue.tell.remote({"run": ended, "epoch": 1, "val_error": 0.5})
        time.sleep(0.01)


def test_groups_do_the_jobs_of_one_step_after_the_other(groups: Any, capsys: pytest.CaptureFixture[str]) -> None:
    both, seen = groups(train, train), list[str]()
    for step in (["a", "b", "c"], ["d"]):
        both.train([job(run) for run in step], [lambda row: seen.append(row["run"])])
        assert sorted(seen) == ["a", "b", "c", "d"][: len(seen)]
        assert len(seen) in (3, 4)
    both.close()
    assert sorted(seen) == ["a", "b", "c", "d"]
    assert capsys.readouterr().out == "training 3 runs: 2 at once, 1 worker of 1 CPU each\n"


def test_a_failure_is_raised_when_the_other_groups_have_done_the_rest(
    groups: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    has_failed, seen = threading.Event(), list[str]()

    def fail(queue: Any, number: int) -> None:
        while queue.take.remote(number, None) == WAIT:
            time.sleep(0.01)
        has_failed.set()
        raise ControllerError(RuntimeError("no workers"))

    def go_on(queue: Any, number: int) -> None:
        has_failed.wait(10)
        train(queue, number)

    with pytest.raises(WorkersLostError, match="must end within 3 new starts, but got no workers"):
        groups(fail, go_on).train([job(run) for run in "abc"], [lambda row: seen.append(row["run"])])
    assert len(seen) == 2
    assert "warning: a group of workers failed, the others go on: no workers\n" in capsys.readouterr().out


def test_where_every_group_fails_nothing_is_waited_for(groups: Any) -> None:
    def fail(*_: Any) -> None:
        raise ControllerError(RuntimeError("no workers"))

    with pytest.raises(WorkersLostError, match="no workers"):
        groups(fail, fail).train([job(run) for run in "abc"])


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
        in_thread(fit, lambda _: None).result(20)
    release.set()


def test_training_runs_outside_the_main_thread_where_ray_train_would_take_ctrl_c_for_good() -> None:
    assert in_thread(threading.current_thread, lambda _: None).result(20) is not threading.main_thread()


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
