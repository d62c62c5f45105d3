"""What a worker decides by itself: which jobs are left, and when loop state is kept. No Ray is started."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
import torch

from translearn.cluster.data.shared import Shared
from translearn.cluster.training import worker
from translearn.cluster.training.checkpoints import CheckpointClock
from translearn.cluster.training.job_queue import JobQueue
from translearn.cluster.training.rows import facts
from translearn.cluster.training.worker import FAILED, Job, Orders, next_job
from translearn.config import TrainSpec
from translearn.models.model_info import MARKER
from translearn.storage.folder import Folder
from translearn.training.config import TrainConfig

CONFIG = TrainConfig(0, 0.1, 2, 0, TrainSpec(precision="fp32"))


def job(run: str) -> Job:
    return Job(run, Shared(None), "scratch", CONFIG)


def reference(run: str) -> tuple[Job]:
    """Stands for a reference in Ray's object store."""
    return (job(run),)


def handle(queue: JobQueue) -> Any:
    """Stands for the handle of the actor."""
    return SimpleNamespace(take=SimpleNamespace(remote=queue.take))


def orders(out: Folder, queue: JobQueue, group: int) -> Orders:
    return Orders(threads=1, checkpoint_interval_s=0.0, out=out, queue=handle(queue), group=group)


def end(out: Folder, run: str) -> None:
    (out / run).write_bytes(MARKER, b"{}")


def test_groups_share_the_jobs_that_have_not_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "get", lambda found: found)
    out, queue = Folder.open(tmp_path), JobQueue()
    queue.add((run, reference(run)) for run in ("a", "b", "c", "d"))
    queue.close()
    first, second = (orders(out, queue, group) for group in (0, 1))
    (out / "b").write_bytes("curve.parquet", b"")  # cut off before its model was whole
    assert (next_job(first, None), next_job(second, None)) == (reference("a"), reference("b"))
    end(out, "a")
    assert next_job(first, "a") == reference("c")
    # The workers of a group were lost, and others go on with its job; unless it had just ended.
    assert next_job(first, None) == reference("c")
    (out / "c").write_json(FAILED, {"reason": "train_loss is nan"})
    assert next_job(first, None) == reference("d")
    end(out, "b")
    assert next_job(second, "b") is None
    end(out, "d")
    assert next_job(first, "d") is None
    assert next_job(first, None) is None
    assert queue.look() == ([], 0)


def test_a_group_waits_for_jobs_until_no_more_will_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "get", lambda found: found)
    queue, naps = JobQueue(), list[float]()

    def nap(seconds: float) -> None:
        naps.append(seconds)
        queue.add([("b", reference("b"))]) if len(naps) == 3 else None

    monkeypatch.setattr(worker, "time", SimpleNamespace(sleep=nap))  # other threads may sleep too
    queue.add([("a", reference("a"))])
    group = orders(Folder.open(tmp_path), queue, 0)
    assert (next_job(group, None), next_job(group, "a")) == (reference("a"), reference("b"))
    assert len(naps) == 3
    queue.tell({"run": "b", "epoch": 1})
    assert (queue.look(), queue.look()) == (([{"run": "b", "epoch": 1}], 1), ([], 1))
    queue.close()
    assert next_job(group, "b") is None


def test_the_job_of_a_group_that_failed_is_not_waited_for() -> None:
    queue = JobQueue()
    queue.add((run, run) for run in ("a", "b"))
    assert (queue.take(0), queue.take(1)) == ("a", "b")
    queue.give_up(0)
    assert queue.look() == ([], 1)


def test_a_group_without_a_queue_does_its_only_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "get", lambda found: found)
    alone = Orders(threads=1, checkpoint_interval_s=0.0, out=Folder.open(tmp_path), job=reference("a"))
    assert (next_job(alone, None), next_job(alone, "a")) == (reference("a"), None)
    end(alone.out, "a")
    assert next_job(alone, None) is None


def test_loop_state_is_kept_once_an_interval_and_never_at_the_end() -> None:
    always, never = CheckpointClock(0.0), CheckpointClock(3600.0)
    assert [always.due(is_last) for is_last in (False, False, True)] == [True, True, False]
    assert not never.due(is_last=False)


def test_facts_are_those_of_the_device_that_computes() -> None:
    assert facts(CONFIG, 3, torch.device("cpu")) == {"precision": "fp32", "threads": 3}
