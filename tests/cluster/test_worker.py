"""What a worker decides by itself: which jobs are left, and when loop state is kept. No Ray is started."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import ray
import torch

from translearn.cluster.data.shared import Shared
from translearn.cluster.training.checkpoints import CheckpointClock
from translearn.cluster.training.job_queue import JobQueue
from translearn.cluster.training.rows import facts
from translearn.cluster.training.worker import FAILED, Job, Orders, next_job
from translearn.config import TrainSpec
from translearn.models.model_dir import MARKER
from translearn.storage.folder import Folder
from translearn.training.config import TrainConfig

CONFIG = TrainConfig(0, 0.1, 2, 0, TrainSpec(precision="fp32"))


class Queue:
    """Stands for the handle of the actor."""

    def __init__(self, num_jobs: int) -> None:
        self.take = SimpleNamespace(remote=JobQueue(num_jobs).take)


def orders(out: Folder, queue: Queue | None = None, group: int = 0) -> Orders:
    jobs = tuple(Job(run, Shared(None), "scratch", CONFIG) for run in ("a", "b", "c", "d"))
    return Orders(jobs, threads=1, checkpoint_interval_s=0.0, out=out, queue=queue, group=group)


def end(out: Folder, run: str) -> None:
    (out / run).write_bytes(MARKER, b"{}")


def test_groups_share_the_jobs_that_have_not_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "get", lambda found: found)
    out, queue = Folder.open(tmp_path), Queue(4)
    first, second = (orders(out, queue, group) for group in (0, 1))
    (out / "b").write_bytes("curve.parquet", b"")  # cut off before its model was whole
    assert (next_job(first, None), next_job(second, None)) == (0, 1)
    end(out, "a")
    assert next_job(first, 0) == 2
    # The workers of a group were lost, and others go on with its job; unless it had just ended.
    assert next_job(first, None) == 2
    (out / "c").write_json(FAILED, {"reason": "train_loss is nan"})
    assert next_job(first, None) == 3
    end(out, "b")
    assert next_job(second, 1) is None
    end(out, "d")
    assert next_job(first, 3) is None
    assert next_job(first, None) is None


def test_a_group_alone_does_all_jobs_that_have_not_ended(tmp_path: Path) -> None:
    alone = orders(Folder.open(tmp_path))
    end(alone.out, "b")
    assert [next_job(alone, ended) for ended in (None, 0, 2, 3)] == [0, 2, 3, None]


def test_loop_state_is_kept_once_an_interval_and_never_at_the_end() -> None:
    always, never = CheckpointClock(0.0), CheckpointClock(3600.0)
    assert [always.due(is_last) for is_last in (False, False, True)] == [True, True, False]
    assert not never.due(is_last=False)


def test_facts_are_those_of_the_device_that_computes() -> None:
    assert facts(CONFIG, 3, torch.device("cpu")) == {"precision": "fp32", "threads": 3}
