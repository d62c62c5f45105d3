"""``translearn submit`` as a person has it: on a terminal, with a real job, Ctrl-C, and a connection that breaks."""

from __future__ import annotations

import os
import pty
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from ray._private import ray_constants
from ray.cluster_utils import Cluster
from ray.job_submission import JobSubmissionClient

from translearn.cluster.session import LOCAL, free_port

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]

STUDY = Path(__file__).resolve().parents[3] / "workflows/configs/demo.yaml"
COMMAND = Path(sys.executable).with_name("translearn")
#: Little to pre-train.
QUICK = [
    f"sources.{index}.pretrain.{change}" for index in (0, 1) for change in ("epochs=1", "ingest.limit_per_class=10")
]


class Terminal:
    """A command on a pseudo-terminal, and what it has shown there."""

    def __init__(self, *arguments: object) -> None:
        self._master, slave = pty.openpty()
        self.text = ""
        self.process = subprocess.Popen(
            [str(COMMAND), *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            # Also where this process ignores Ctrl-C, as one does that a shell put into the background.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            env={**os.environ, "RAY_ADDRESS": ""},
        )
        os.close(slave)
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, words: str, seconds: float = 240) -> None:
        """Until it has shown these words."""
        end = time.monotonic() + seconds
        while words not in self.text:
            is_late = time.monotonic() > end or self.process.poll() is not None
            assert not is_late, f"{words!r} is not in: {self.text}"
            time.sleep(0.1)

    def interrupt(self, answer: str) -> int:
        """Ctrl-C, the answer to the question, and the command's exit code."""
        self.process.send_signal(signal.SIGINT)
        self.wait_for("detach (Enter), or stop it (s)?", 60)
        os.write(self._master, answer.encode())
        return self.process.wait(240)

    def _read(self) -> None:
        with suppress(OSError):  # its end
            while data := os.read(self._master, 4096):
                self.text += data.decode(errors="replace")


class Wire:
    """A TCP connection to a server, which can be cut: those that are there break, new ones are refused for a while."""

    def __init__(self, port: int) -> None:
        self._port, self._server = port, socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """Where it begins."""
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def cut(self, seconds: float) -> None:
        """Breaks off everything, for so long."""
        self._is_cut = True
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        time.sleep(seconds)
        self._is_cut = False

    def close(self) -> None:
        """Ends it."""
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near = self._server.accept()[0]
                if self._is_cut:
                    near.close()
                    continue
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._port)) as far, suppress(OSError):
            self._open += [near, far]
            with selectors.DefaultSelector() as ready:
                ready.register(near, selectors.EVENT_READ, far)
                ready.register(far, selectors.EVENT_READ, near)
                while True:
                    for key, _ in ready.select():
                        data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                        if not data:
                            return
                        key.data.sendall(data)


@contextmanager
def wire(address: str) -> Iterator[Wire]:
    """A connection to a dashboard that can be cut."""
    made = Wire(int(address.rpartition(":")[2]))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A head of its own, whatever other Rays there are on this machine; where its dashboard is."""
    monkeypatch.setenv("PATH", str(COMMAND.parent), prepend=os.pathsep)  # the `python` of jobs
    for name, value in LOCAL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)
    ports = {name: free_port() for name in ("dashboard_port", "dashboard_agent_listen_port")}
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)  # where its jobs find it
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": True, **ports})
        yield f"http://127.0.0.1:{ports['dashboard_port']}"
        cluster.shutdown()


def test_a_job_is_left_is_followed_over_a_broken_connection_and_is_stopped(where: str, tmp_path: Path) -> None:
    sets = [f"storage={tmp_path / 'runs'}", "search.epochs=500", "search.mode=exhaustive", "name=left", *QUICK]
    first = Terminal("submit", STUDY, "--address", where, *(part for change in sets for part in ("--set", change)))
    first.wait_for("Job left-")
    job_id = first.text.split("--attach ")[1].split()[0]
    first.wait_for("pre-training")  # what the job prints is shown
    assert first.interrupt("\n") == 1
    assert f"Job {job_id} goes on. Watch it again: translearn submit --attach {job_id} --address {where}" in first.text
    client = JobSubmissionClient(where)
    assert not client.get_job_status(job_id).is_terminal()

    with wire(where) as connection:
        again = Terminal("submit", "--attach", job_id, "--address", connection.address)
        again.wait_for("pre-training 1/2")  # it shows the job's log from its beginning
        connection.cut(seconds=1.5)
        again.wait_for("the connection was lost (", 60)
        again.wait_for("pre-training 2/2")  # what comes after the break is shown too
        assert again.text.count("pre-training 1/2") == 1
        assert again.interrupt("s\n") == 1
        assert f"stopping job {job_id}" in again.text
    assert client.get_job_status(job_id) == "STOPPED"
    assert Terminal("submit", "--attach", job_id, "--address", where).process.wait(120) == 1
