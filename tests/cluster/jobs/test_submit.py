"""What is sent to a cluster, what is refused before, and what the command prints and returns."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from job_cases import PlayedClient

import translearn.cluster.jobs.submit as submitting
from translearn.cli import main
from translearn.cluster.jobs import connection
from translearn.cluster.jobs.connection import address_of
from translearn.cluster.jobs.submit import submit
from translearn.errors import InputError, SpecError, TranslearnError

TREE = {
    "name": "pets",
    "storage": "s3://bucket/studies",
    "target": {"data": "/mnt/shared/pets"},
    "sources": [{"name": "imagenet", "arch": "resnet18", "weights": "IMAGENET1K_V1"}],
}


def written(folder: Path, tree: dict[str, Any]) -> Path:
    file = folder / "pets.yaml"
    file.write_text(yaml.safe_dump(tree))
    return file


class Unpacking(PlayedClient):
    """Looks at the upload while it is there."""

    def submit_job(self, **job: Any) -> str:
        folder = Path(job["runtime_env"]["working_dir"])
        self.files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        self.study = (folder / "pets.yaml").read_text()
        return super().submit_job(**job)


def test_the_package_and_the_file_are_sent_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "large.bin").write_bytes(b"x")
    study, client = written(tmp_path, TREE), Unpacking([])
    job_id = submit(study, ["search.trials=8", "name=cats"], flags=["--json"], client=client)
    (job,) = client.submitted
    assert job_id == job["submission_id"]
    assert job_id.startswith("cats-")
    assert job["entrypoint"] == "python -m translearn.cli run pets.yaml --set search.trials=8 --set name=cats --json"
    assert client.study == study.read_text()
    here = Path(submitting.__file__).parents[2]
    package = {f"translearn/{path.relative_to(here)}" for path in here.rglob("*") if path.is_file()}
    assert set(client.files) == {"pets.yaml", *(path for path in package if "__pycache__" not in path)}
    assert list(job["runtime_env"]["env_vars"]) == ["TRANSLEARN_COMMIT"]
    assert not Path(job["runtime_env"]["working_dir"]).exists()


def test_a_value_with_spaces_stays_one_argument(tmp_path: Path) -> None:
    client = PlayedClient([])
    submit(written(tmp_path, TREE), ["target.data=/mnt/two words"], client=client)
    assert client.submitted[0]["entrypoint"].endswith("--set 'target.data=/mnt/two words'")


def test_a_bad_file_is_refused_here(tmp_path: Path) -> None:
    client = PlayedClient([])
    with pytest.raises(SpecError, match=r"search\.trials"):
        submit(written(tmp_path, TREE), ["search.trials=0"], client=client)
    assert client.submitted == []


def test_every_place_of_this_machine_alone_is_refused(tmp_path: Path) -> None:
    tree = {
        **TREE,
        "storage": "runs",
        "target": {"data": "data/pets"},
        "sources": [
            {"name": "a", "arch": "resnet18", "checkpoint": "a.pth"},
            {"name": "b", "arch": "resnet18", "pretrain": {"data": "~/birds"}},
        ],
        "search": {"warm_start": "past"},
    }
    with pytest.raises(InputError) as caught:
        submit(written(tmp_path, tree), client=PlayedClient([]))
    remedy = "Name an object store (s3:// or gs://), or the absolute path of a folder that all nodes share."
    places = {
        "storage": "runs",
        "target.data": "data/pets",
        "sources.0.checkpoint": "a.pth",
        "sources.1.pretrain.data": "~/birds",
        "search.warm_start": "past",
    }
    assert str(caught.value).splitlines() == [
        f"{field}: must be a place that the cluster reaches, but got {place!r}. {remedy}"
        for field, place in places.items()
    ]


@pytest.mark.parametrize("data", ["sklearn:digits", "procedural:glyphs?num=10", "gs://b/x", "file:///mnt/x", "/mnt/x"])
def test_what_the_cluster_may_reach_is_sent(data: str, tmp_path: Path) -> None:
    client = PlayedClient([])
    submit(written(tmp_path, {**TREE, "target": {"data": data}}), client=client)
    assert len(client.submitted) == 1


def test_a_cluster_that_does_not_take_the_job(tmp_path: Path) -> None:
    class Refusing(PlayedClient):
        def submit_job(self, **job: Any) -> str:
            raise RuntimeError("Request failed with status code 500: no")

    with pytest.raises(TranslearnError) as caught:
        submit(written(tmp_path, TREE), client=Refusing([]))
    assert "was not taken by the cluster (Request failed with status code 500: no). " in str(caught.value)


def test_the_id_is_known_before_anything_is_sent_and_an_interruption_names_it(played, tmp_path: Path, capsys) -> None:
    class Interrupted(PlayedClient):
        def submit_job(self, **job: Any) -> str:
            self.told = capsys.readouterr().err
            raise KeyboardInterrupt

    played.append(Interrupted([]))
    assert main(["submit", str(written(tmp_path, TREE))]) == 1
    job_id = played[0].told.split()[1].rstrip(".")
    assert played[0].told == (
        f"Job {job_id}. Watch it again: translearn submit --attach {job_id} --address http://127.0.0.1:8265\n"
    )
    assert capsys.readouterr().err == (
        f"error: job {job_id}: interrupted while it was sent. `translearn submit --attach {job_id}` shows whether it "
        "has begun.\n"
    )


@pytest.fixture
def closed() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where connections are taken and nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def dropping() -> Iterator[int]:
    """A port whose queue is full, where the kernel drops the packets that ask for a connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.socket() as first:
        first.connect(server.getsockname())
        yield server.getsockname()[1]


@pytest.fixture
def other() -> Iterator[int]:
    """A port where another program answers, in its own words."""
    with socketserver.TCPServer(("127.0.0.1", 0), Greeter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Greeter(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1000)
        self.request.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


REMEDY = "Open a tunnel to the cluster, as `ray dashboard cluster.yaml` does, or name another --address."


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("closed", "Connection refused"),
        ("silent", "no answer within 0.2 s"),
        ("dropping", "no answer within 0.2 s"),
        ("other", "SSH-2.0-OpenSSH_9.2"),
    ],
)
def test_where_no_cluster_answers_the_command_ends_with_one_line_and_code_2(
    kind: str, reason: str, request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    address = f"http://127.0.0.1:{request.getfixturevalue(kind)}"
    monkeypatch.setattr(connection, "_ANSWER_S", 0.2)
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_ADDRESS", address)
    rule = f"must be the address of a Ray dashboard that answers, but got '{address}' ({reason}). {REMEDY}"
    assert main(["submit", str(written(tmp_path, TREE))]) == 2
    assert capsys.readouterr().err.splitlines() == [f"error: RAY_ADDRESS: {rule}"]
    assert main(["submit", "--attach", "job-1", "--address", address]) == 2
    assert capsys.readouterr().err.splitlines() == [f"error: --address: {rule}"]


def test_where_the_address_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")  # of a cluster, not of its jobs
    assert address_of(None) == "http://127.0.0.1:8265"
    monkeypatch.setenv("RAY_ADDRESS", "http://ray:8265")
    assert address_of(None) == "http://ray:8265"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://head:8265")
    assert address_of(None) == "http://head:8265"
    assert address_of("https://other") == "https://other"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "head:8265")
    for given, where, found in ((None, "RAY_API_SERVER_ADDRESS", "head:8265"), ("head:6379", "--address", "head:6379")):
        with pytest.raises(InputError) as caught:
            address_of(given)
        assert str(caught.value) == (
            f"{where}: must be the address of a Ray dashboard, but got '{found}'. For example http://127.0.0.1:8265."
        )


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[PlayedClient]:
    """The client that the command gets: the last of the list."""
    clients: list[PlayedClient] = []
    for module in ("submit", "watch"):
        monkeypatch.setattr(f"translearn.cluster.jobs.{module}.connected", lambda _=None: clients[-1])
    return clients


def test_the_line_of_json_of_the_job_goes_through(played, tmp_path: Path, capsys) -> None:
    played.append(PlayedClient([["hello\n", '{"command": "run", "status": "bad input"}\n']], "FAILED", 2))
    assert main(["submit", str(written(tmp_path, TREE)), "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == 'hello\n{"command": "run", "status": "bad input"}\n'
    job_id = played[0].submitted[0]["submission_id"]
    assert f"translearn submit --attach {job_id} --address http://127.0.0.1:8265" in err.splitlines()[0]


def test_a_job_that_was_killed_has_a_line_of_ours(played, capsys) -> None:
    played.append(PlayedClient([["hello\n"]], "FAILED", None, "the driver died"))
    assert main(["submit", "--attach", "job-1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {
        "command": "submit",
        "status": "failed",
        "job": "job-1",
        "faults": ["the driver died"],
    }
    assert played[0].submitted == []


@pytest.mark.parametrize("arguments", [[], ["pets.yaml", "--attach", "job-1"]])
def test_either_a_file_or_a_job(arguments: list[str], capsys) -> None:
    assert main(["submit", *arguments]) == 2
    assert "either a study file or --attach JOB_ID" in capsys.readouterr().err
