"""What a worker decides by itself: which jobs are left, and when loop state is kept. No Ray is started."""

from __future__ import annotations

from pathlib import Path

import torch

from translearn.cluster.data.shared import Shared
from translearn.cluster.training.checkpoints import CheckpointClock
from translearn.cluster.training.rows import facts
from translearn.cluster.training.worker import FAILED, Job, Orders, _remaining
from translearn.config import TrainSpec
from translearn.models.model_dir import MARKER
from translearn.storage.folder import Folder
from translearn.training.config import TrainConfig

CONFIG = TrainConfig(0, 0.1, 2, 0, TrainSpec(precision="fp32"))


def orders(out: Folder) -> Orders:
    jobs = tuple(Job(run, Shared(None), "scratch", CONFIG) for run in ("a", "b", "c"))
    return Orders(jobs, threads=1, checkpoint_interval_s=0.0, out=out)


def test_jobs_with_a_model_are_not_done_again_and_no_other_is_left_out(tmp_path: Path) -> None:
    out = Folder.open(tmp_path)
    (out / "b").write_bytes(MARKER, b"{}")
    (out / "c").write_bytes("curve.parquet", b"")  # cut off before its model was whole
    assert [job.run for job in _remaining(orders(out))] == ["a", "c"]
    (out / "a").write_json(FAILED, {"reason": "train_loss is nan"})
    assert [job.run for job in _remaining(orders(out))] == ["c"]


def test_loop_state_is_kept_once_an_interval_and_never_at_the_end() -> None:
    always, never = CheckpointClock(0.0), CheckpointClock(3600.0)
    assert [always.due(is_last) for is_last in (False, False, True)] == [True, True, False]
    assert not never.due(is_last=False)


def test_facts_are_those_of_the_device_that_computes() -> None:
    assert facts(CONFIG, 3, torch.device("cpu")) == {"precision": "fp32", "threads": 3}
