"""A Ray's address that leads nowhere is one line within seconds, which names where the address stands."""

from __future__ import annotations

import json
import platform
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import ray
from ray._private import ray_constants
from ray._private.utils import check_version_info
from ray.exceptions import AuthenticationError

from translearn.cli import main
from translearn.cluster.start import address as module
from translearn.cluster.start.address import check_address, find_address, joining
from translearn.errors import InputError

DASHBOARD = "That is a dashboard, for `translearn submit`."
CLIENT = "Ray Client cannot train: use `translearn submit`, or auto on a machine of the cluster."
STUDY = "name: pets\ntarget: {data: 'sklearn:digits'}\nsources: [{name: a, arch: resnet18, weights: DEFAULT}]\n"


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray looks for 127.0.0.1 at 127.0.0.1, as after ``listen_here_only``."""
    monkeypatch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where connections are taken and nobody answers, as of a head that is stopped."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("http://127.0.0.1:8265", DASHBOARD),
        ("https://ray.example.com", DASHBOARD),
        ("ray://10.0.0.1:10001", CLIENT),
        ("grpc://10.0.0.1:1", ""),
        ("10.0.0.1", ""),
        ("10.0.0.1:ray", ""),
        ("10.0.0.1:99999", ""),
        (":6379", ""),
    ],
)
def test_an_address_of_another_kind_is_told_by_its_look(address: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        check_address("RAY_ADDRESS", address)
    rule = "RAY_ADDRESS: must be HOST:PORT of a Ray cluster, auto or local"
    assert str(caught.value) == f"{rule}, but got {address!r}. {remedy}".rstrip()


def test_a_cluster_that_is_gone(closed: int) -> None:
    with pytest.raises(InputError) as caught:
        check_address("RAY_ADDRESS", f"127.0.0.1:{closed}")
    assert str(caught.value) == (
        f"RAY_ADDRESS: must be the address of a Ray cluster that runs, but got '127.0.0.1:{closed}' (connection "
        "refused). Start the cluster, name another, or unset it for a local Ray."
    )


def test_a_port_where_no_ray_answers(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ANSWER_S", 0.2)
    with pytest.raises(InputError, match=rf"got '127.0.0.1:{silent}' \(no Ray answers within 0.2 s\)") as caught:
        check_address("--address", f"127.0.0.1:{silent}")
    assert str(caught.value).endswith("name another, or leave it out for a local Ray.")


def test_a_cluster_that_refuses_the_token() -> None:
    def refuse(_: bytes, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")

    handler = grpc.method_handlers_generic_handler(
        "ray.rpc.NodeInfoGcsService", {"GetClusterId": grpc.unary_unary_rpc_method_handler(refuse)}
    )
    server = grpc.server(ThreadPoolExecutor(1), handlers=[handler])
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        with pytest.raises(InputError) as caught:
            check_address("RAY_ADDRESS", address)
    finally:
        server.stop(None)
    assert str(caught.value) == (
        f"RAY_ADDRESS: must be of a cluster that takes this token, but got '{address}'. Set RAY_AUTH_MODE=token, and "
        "put the cluster's token into ~/.ray/auth_token."
    )


def test_a_tunnel_to_this_machine_is_told_where_ray_looks(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module.services, "resolve_ip_for_localhost", lambda _: "127.0.0.2"
    )  # Ray: the network's address
    with pytest.raises(InputError) as caught:
        check_address("RAY_ADDRESS", f"127.0.0.1:{silent}")
    reason = "connection refused at 127.0.0.2, where Ray looks for it"
    assert f"but got '127.0.0.1:{silent}' ({reason}). Start the cluster, " in str(caught.value)


def test_auto_where_no_ray_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_found(*_: object) -> str:
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(module.services, "get_ray_address_from_environment", none_found)
    with pytest.raises(InputError) as caught:
        check_address("--address", "auto")
    assert str(caught.value) == (
        "--address: must name a Ray that runs, but got auto, and none runs here. "
        "Start one with `ray start --head`, or name its HOST:PORT."
    )


@pytest.mark.parametrize(
    ("given", "variable", "found"),
    [
        (None, None, ("--address", "local")),
        (None, "", ("--address", "local")),
        (None, "a:1", ("RAY_ADDRESS", "a:1")),
        ("b:2", "a:1", ("--address", "b:2")),
        ("auto", "a:1", ("RAY_ADDRESS", "a:1")),
        ("auto", None, ("--address", "auto")),
        ("local", "a:1", ("--address", "local")),
    ],
)
def test_where_the_address_comes_from(
    given: str | None, variable: str | None, found: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if variable is not None:
        monkeypatch.setenv("RAY_ADDRESS", variable)
    assert find_address(given) == found


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            AuthenticationError("no token"),
            "RAY_ADDRESS: must be of a cluster that takes this token, but got 'a:1'. Set RAY_AUTH_MODE=token, and put "
            "the cluster's token into ~/.ray/auth_token.",
        ),
        (
            ConnectionError("it is gone\nand more"),
            "RAY_ADDRESS: must be the address of a Ray cluster that runs, but got 'a:1' (it is gone). Start the "
            "cluster, name another, or unset it for a local Ray.",
        ),
    ],
)
def test_what_ray_raises_becomes_one_line(error: Exception, told: str) -> None:
    with pytest.raises(InputError) as caught, joining("RAY_ADDRESS", "a:1"):
        raise error
    assert str(caught.value) == told


def test_a_head_of_another_ray_and_python_is_one_line_with_both() -> None:
    head = {"ray_version": "2.40.0", "python_version": "3.12.1"}
    with pytest.raises(InputError) as caught, joining("RAY_ADDRESS", "a:1"):
        check_version_info(head, "node 10.0.0.2")  # as Ray's driver does when it joins
    here = f"Ray {ray.__version__} and Python {platform.python_version()}"
    assert str(caught.value) == (
        f"RAY_ADDRESS: must be of a cluster with {here}, as here, but got Ray 2.40.0 and Python 3.12.1. "
        "Use an environment with the cluster's versions."
    )


def test_a_fault_of_a_local_ray_stays_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="raylet"), joining("--address", "local"):
        raise RuntimeError("the raylet did not start")


def test_the_command_ends_at_once_with_exit_code_2(
    closed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pets.yaml").write_text(STUDY)
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed}")
    assert main(["run", str(tmp_path / "pets.yaml"), "--json"]) == 2
    told = json.loads(capsys.readouterr().out.splitlines()[-1])["faults"]
    assert [fault.partition(", but got")[0] for fault in told] == [
        "RAY_ADDRESS: must be the address of a Ray cluster that runs"
    ]
