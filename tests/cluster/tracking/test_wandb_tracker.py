"""W&B's own library, offline: what is in the files that `wandb sync` sends."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tracker_cases import job, row, spec_with

from translearn.cluster.tracking.connections import tracker_faults, tracking
from translearn.cluster.tracking.trackers import run_tracker
from translearn.config import StudySpec

wandb = pytest.importorskip("wandb", reason="an extra, which `make test-all` installs")

SECRET = "a-secret-that-nobody-may-see-0123456789"
_HEADER, _BLOCK = 7, 32768


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """wandb reads the environment once a process."""
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudySpec:
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    return spec_with(wandb={"mode": "offline"})


def records(file: Path) -> Iterator[Any]:
    """The records in a file of W&B, which is a log of LevelDB behind a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole = file.read_bytes(), _HEADER, b""
    while at + 7 <= len(data):
        if _BLOCK - at % _BLOCK < 7:
            at += _BLOCK - at % _BLOCK
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a record, or the last part of one
            yield Record.FromString(whole)
            whole = b""


def run_in(file: Path) -> dict[str, Any]:
    """What the file says of its run."""
    found: dict[str, Any] = {"history": [], "summary": {}, "exit": None}
    for record in records(file):
        if record.HasField("run"):
            run = record.run
            config = {item.key: json.loads(item.value_json) for item in run.config.update}
            found |= {"id": run.run_id, "name": run.display_name, "project": run.project, "group": run.run_group}
            found |= {"stage": run.job_type, "config": {key: value for key, value in config.items() if key[0] != "_"}}
        if record.HasField("history"):
            items = {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            found["history"].append({key: value for key, value in items.items() if key in ("_step", "val_error")})
        if record.HasField("summary"):
            found["summary"] |= {
                item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.summary.update
            }
        if record.HasField("exit"):
            found["exit"] = record.exit.exit_code
    return found


def runs(folder: Path) -> list[dict[str, Any]]:
    """What the files in a folder say, when wandb's own process has written them."""
    wandb.teardown()
    return [run_in(file) for file in sorted(folder.glob("wandb/offline-run-*/*.wandb"))]


def test_a_run_has_its_config_and_its_curve(
    spec: StudySpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tracker_faults(spec) == []
    with tracking(spec, "runs/pets", "today"):
        jobs = [job("scratch-0-0", source="scratch", lr=0.1), job("b")]
        follow = run_tracker(spec, "refit", jobs)
        for epoch in (1, 2):
            for one in jobs:  # side by side
                follow(row(one.run, epoch))
    found = runs(tmp_path)
    (scratch,) = [run for run in found if run["name"] == "scratch-0-0"]
    assert (len(found), scratch["project"], scratch["group"], scratch["stage"]) == (2, "pets", "pets", "refit")
    assert scratch["config"] == {"source": "scratch", "lr": 0.1, "arch": "resnet18"}
    assert scratch["history"] == [{"_step": 1, "val_error": 0.5}, {"_step": 2, "val_error": 0.25}]
    assert scratch["exit"] == 0
    assert capsys.readouterr().out == "W&B: project pets at files of this machine, for `wandb sync`\n"
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]


def send_and_interrupt(spec: StudySpec) -> None:
    with tracking(spec, "runs/pets", "today"):
        run_tracker(spec, "refit", [job("a")])(row("a", 1))
        raise KeyboardInterrupt


def test_a_run_that_was_interrupted_goes_on_under_its_id(spec: StudySpec, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        send_and_interrupt(spec)
    with tracking(spec, "runs/pets", "today"):
        run_tracker(spec, "refit", [job("a")])(row("a", 2, reason="the loss is infinite"))
    found = runs(tmp_path)
    assert len({run["id"] for run in found}) == 1
    assert sorted(run["exit"] for run in found) == [1, 255]
    assert [run["summary"]["reason"] for run in found if "reason" in run["summary"]] == ["the loss is infinite"]


@pytest.mark.parametrize(
    ("key", "got"), [("", "none"), ("x", "a bad one (WANDB_API_KEY invalid: API key must have 40+ characters, has 1.)")]
)
def test_online_without_a_key_is_a_fault(key: str, got: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_API_KEY", key)
    assert tracker_faults(spec_with(wandb={"mode": "online"})) == [
        f"cluster.trackers.wandb: needs an API key, but got {got}. Run `wandb login`, set WANDB_API_KEY, or set "
        "cluster.trackers.wandb.mode=offline."
    ]


def test_the_environment_says_whether_an_open_mode_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", "x")
    assert tracker_faults(spec_with(wandb={})) == []
