"""A study without Ray and torch that stands for the real one, so that every fault can be played in seconds.

``python fake_study.py SNARE run STUDY.yaml ...``: what trains is a child process, which is started again where it dies.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import yaml

from translearn.drill.hook import epoch_name, install
from translearn.drill.trap import Snare
from translearn.errors import InputError, StorageError, TranslearnError
from translearn.storage.folder import Folder
from translearn.study.lock.lock import only_driver

NAME, EPOCHS, SOUND = "drill", 3, b"a sound shard"  # what imports torch is not imported here


class Fake:
    """The study at its storage, and the trap that its processes may step into."""

    def __init__(self, snare: Snare, file: Path) -> None:
        self.snare, self.source = snare, file.parent / "donor.safetensors"
        self.spec = yaml.safe_load(file.read_text())
        self.storage = Folder.open(self.spec["storage"])
        self.folder = self.storage / NAME
        self.scratch = file.parent / "temporary" / "translearn-checkpoint-1"

    def run(self) -> None:
        self.take_data()
        self.take_source()
        if not self.folder.exists("trials.parquet"):
            if "pretrain" in self.spec["sources"][0]:
                in_child(lambda: self.train("sources", "donor", "sources/donor"))
                (self.folder / "sources" / ".ray").remove()
            for number in range(3):
                in_child(lambda number=number: self.heat(number))
                (self.folder / "search" / "heats").write_json(f"{number}.json", sealed(0))
            (self.folder / "search" / "states").remove()
            self.folder.write_table("curves.parquet", pa.table({"epoch": [1]}))
            rows = [{"status": status} for status in ("done", "failed")]
            self.folder.write_table("trials.parquet", pa.Table.from_pylist(rows))
        for run in ("transfer-0-0", "scratch-0-0", "transfer-0-1", "scratch-0-1"):
            in_child(lambda run=run: self.train("refit", run, f"refit/{run}"))
        (self.folder / "refit" / ".ray").remove()
        (self.folder / "refit").sweep()
        self.folder.write_table("curves.parquet", pa.table({"epoch": [1, 2]}))
        self.evaluate()

    def take_data(self) -> None:
        data = self.folder / "data" / "target"
        if not data.exists("manifest.json"):
            data.write_bytes("test-00000.parquet", SOUND)
            data.write_json("manifest.json", {})
        if data.read_bytes("test-00000.parquet") != SOUND:
            raise InputError("test-00000.parquet: must be a Parquet file")

    def take_source(self) -> None:
        digest = hashlib.sha256(self.source.read_bytes()).hexdigest()
        if not self.folder.exists("sources.json"):
            self.folder.write_json("sources.json", digest)
        self.folder = self.folder.anchored("sources.json")
        if self.folder.read_json("sources.json") != digest:
            raise InputError("sources.donor: must keep the weights that this study began with")

    def heat(self, number: int) -> None:
        heats, states, run = self.folder / "search" / "heats", self.folder / "search" / "states", f"trial-{number}"
        if rows(heats, f"{number}.json") is not None:
            return
        deaths = self.scratch.parent / f"tries-{number}"
        deaths.parent.mkdir(exist_ok=True)
        with deaths.open("a") as file:
            file.write("x")
        together = 2 if deaths.stat().st_size < 2 else 1
        for epoch in range((rows(states, f"{run}.pt") or 0) + 1, EPOCHS + 1):
            self.end_epoch("search", run, epoch, 0, together)
            states.write_json(f"{run}.pt", sealed(epoch))

    def train(self, stage: str, run: str, where: str) -> None:
        out, group = self.folder / where, self.folder / stage / ".ray" / "group"
        if out.exists("model.json"):
            return
        if group.exists("list.json") and not is_json(group.read_bytes("list.json")):
            group.remove()
        saved = rows(group / "checkpoint_1", "state.json") if group.exists("list.json") else None
        first = saved["epoch"] + 1 if saved and saved["run"] == run else 1
        for epoch in range(first, EPOCHS + 1):
            if epoch == EPOCHS:
                out.write_bytes("model.safetensors", run.encode())
                out.write_json("model.json", hashlib.sha256(run.encode()).hexdigest())
            for rank in (1, 0):
                self.end_epoch(stage, run, epoch, rank, 1)
            if epoch < EPOCHS:
                self.scratch.mkdir(parents=True, exist_ok=True)
                (self.scratch / "state.pt").write_bytes(b"")
                (group / "checkpoint_1").write_json("state.json", sealed({"run": run, "epoch": epoch}))
                group.write_json("list.json", ["checkpoint_1"])

    def evaluate(self) -> None:
        model = (self.folder / "refit" / "transfer-0-0").read_bytes("model.safetensors")
        if hashlib.sha256(model).hexdigest() != (self.folder / "refit" / "transfer-0-0").read_json("model.json"):
            raise InputError("model.safetensors: must have the SHA-256 in model.json")
        (self.folder / "model").write_json("model.json", {})
        self.folder.write_bytes("mistakes.parquet", b"")
        self.folder.write_json("evaluation.json", {})

    def end_epoch(self, stage: str, run: str, epoch: int, rank: int, num_runs: int) -> None:
        name = epoch_name(stage, run, epoch, rank, num_runs)
        if rank == 0:
            self.snare.tell(name)
        self.snare.step("epoch", name)


def sealed(value: object) -> dict[str, object]:
    return {"value": value, "sha256": hashlib.sha256(json.dumps(value).encode()).hexdigest()}


def rows(folder: Folder, name: str) -> object:
    """What was sealed in a file; None where it is missing or damaged."""
    if not folder.exists(name) or not is_json(folder.read_bytes(name)):
        return None
    found = json.loads(folder.read_bytes(name))
    return found["value"] if isinstance(found, dict) and found == sealed(found.get("value")) else None


def is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def in_child(work: Callable[[], None]) -> None:
    """Works in a process that ends with this one; where it is killed, in another one."""
    while True:
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            os._exit(told(work))
        status = os.waitpid(pid, 0)[1]
        if not os.WIFSIGNALED(status):
            if os.waitstatus_to_exitcode(status):
                raise StorageError("training failed")
            return


def told(work: Callable[[], None]) -> int:
    try:
        work()
    except TranslearnError:
        return 1
    return 0


def main() -> int:
    snare = Snare.read(Path(sys.argv[1]))
    install(snare)
    try:
        fake = Fake(snare, Path(sys.argv[3]))
        with only_driver(fake.storage, NAME):
            fake.folder.sweep()
            fake.run()
    except TranslearnError as error:
        print(f"\nerror: {error}", flush=True)
        return 2 if isinstance(error, InputError) else 1
    time.sleep(0.1)
    print(json.dumps({"status": "done"}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
