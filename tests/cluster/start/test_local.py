"""A local Ray on a machine that others share, in a container, or in a batch job: what it is given to start with.

That it then starts: tests/ray_local/session/test_machines.py.
"""

from __future__ import annotations

import getpass
import os
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from translearn.cluster.start import local, ray_folder
from translearn.cluster.start.local import bypass_proxies, local_options, prepare_process
from translearn.cluster.start.ray_folder import choose_folder
from translearn.errors import InputError

NAMES = ("RAY_TMPDIR", "TMPDIR", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE", "LOGNAME", "USER", "LNAME")
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "all_proxy", "ALL_PROXY")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A home, and an environment without what these tests are about; what they set is taken back."""
    before = dict(os.environ)
    for name in (*NAMES, *PROXIES):
        os.environ.pop(name, None)
    os.environ["HOME"] = str(tmp_path)
    yield tmp_path
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Folders that cannot be written; for root all can."""
    names: set[str] = set()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) not in names and real(path, mode))
    return names


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(ray_folder, "say", lines.append)
    return lines


def test_a_folder_that_can_be_used_is_left_to_ray(short: Path, said: list[str]) -> None:
    choose_folder()
    assert "RAY_TMPDIR" not in os.environ
    os.environ["TMPDIR"] = str(short)
    choose_folder()
    assert "RAY_TMPDIR" not in os.environ
    os.environ["RAY_TMPDIR"] = str(short)
    choose_folder()
    assert (os.environ["RAY_TMPDIR"], said) == (str(short), [])


@pytest.mark.parametrize("name", ["TMPDIR", "RAY_TMPDIR"])
def test_a_folder_that_cannot_is_replaced_and_said(name: str, short: Path, closed: set[str], said: list[str]) -> None:
    closed.add(str(short))
    reasons = {short / "nothing": "is no folder", short: "cannot be written"}
    for place, reason in reasons.items():
        os.environ.pop("RAY_TMPDIR", None)
        os.environ[name] = str(place)
        choose_folder()
        assert os.environ["RAY_TMPDIR"] == "/tmp"
        assert said.pop() == f"{name} {reason}, so Ray's own files are in /tmp/ray."


@pytest.mark.parametrize("name", ["TMPDIR", "RAY_TMPDIR"])
def test_a_path_too_long_for_sockets_has_a_short_link(name: str, said: list[str], tmp_path: Path) -> None:
    long = tmp_path / ("job-" + "7" * 60)
    long.mkdir()
    for _ in range(2):
        os.environ[name] = str(long)
        choose_folder()
        assert len(os.environ[name]) <= 39
        assert Path(os.environ[name]).resolve() == long.resolve()
        assert os.environ.get("RAY_TMPDIR", os.environ[name]) == os.environ[name]
    assert said == []
    Path(os.environ[name]).unlink()


@pytest.mark.parametrize("name", ["ray", "_ray_lockfiles"])
def test_beside_another_user_ray_has_a_folder_of_its_own(
    name: str, short: Path, closed: set[str], said: list[str]
) -> None:
    (short / name).mkdir()
    closed.add(str(short / name))
    os.environ["TMPDIR"] = str(short)
    choose_folder()
    own = short / f"ray-{os.getuid()}"
    assert (os.environ["RAY_TMPDIR"], said) == (str(own), [])
    assert own.stat().st_mode & 0o777 == 0o700


def test_where_nothing_can_be_written_one_line_says_what_to_set(short: Path, closed: set[str]) -> None:
    closed |= {"/tmp", "/var/tmp", str(short)}
    os.environ["TMPDIR"] = str(short)
    with pytest.raises(InputError) as caught:
        choose_folder()
    assert str(caught.value) == (
        "TMPDIR: must be a folder that can be written, with a path of at most 39 bytes, but got TMPDIR cannot be "
        "written; /tmp cannot be written; /var/tmp cannot be written. "
        "Set RAY_TMPDIR to such a folder."
    )


def test_the_longest_socket_of_ray_fits(short: Path) -> None:
    folder = f"{'x' * ray_folder._LONGEST}/ray/session_2026-12-31_23-59-59_999999_4194304/sockets/plasma_store"
    assert len(folder) == 107


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    prepare_process()
    assert getpass.getuser() == os.environ["LOGNAME"] == str(os.getuid())


def test_a_home_that_keeps_a_token_is_left_to_ray(home: Path) -> None:
    prepare_process()
    assert "RAY_AUTH_TOKEN" not in os.environ
    (home / ".ray").mkdir(exist_ok=True)
    (home / ".ray/auth_token").write_text("secret")
    prepare_process()
    assert "RAY_AUTH_TOKEN" not in os.environ


def test_without_a_home_to_write_ray_has_a_token_of_the_process(closed: set[str], home: Path) -> None:
    (home / ".ray").mkdir()
    closed.add(str(home / ".ray"))
    prepare_process()
    token = os.environ.pop("RAY_AUTH_TOKEN")
    os.environ["HOME"] = "/proc/nowhere"
    prepare_process()
    assert os.environ["RAY_AUTH_TOKEN"] != token
    assert len(token) == 64


@pytest.mark.parametrize("name", ["RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"])
def test_a_token_or_a_mode_of_the_users_stays(name: str) -> None:
    os.environ.update({"HOME": "/proc/nowhere", name: "disabled"})
    prepare_process()
    assert os.environ[name] == "disabled"
    assert ("RAY_AUTH_TOKEN" in os.environ) is (name == "RAY_AUTH_TOKEN")


@pytest.mark.parametrize(
    ("variables", "left_out"),
    [
        ({}, None),
        ({"no_proxy": "a.example"}, "a.example"),
        ({"http_proxy": "http://proxy:3128"}, "127.0.0.1,localhost"),
        ({"HTTPS_PROXY": "http://proxy:3128", "no_proxy": ".corp, localhost"}, ".corp,localhost,127.0.0.1"),
        ({"http_proxy": "http://proxy:3128", "NO_PROXY": ".corp"}, ".corp,127.0.0.1,localhost"),
        ({"http_proxy": "http://proxy:3128", "no_proxy": "*"}, "*"),
    ],
)
def test_no_proxy_is_asked_for_this_machine(variables: dict[str, str], left_out: str | None) -> None:
    os.environ.update(variables)
    bypass_proxies()
    assert os.environ.get("no_proxy") == left_out
    if "proxy:3128" in str(variables):
        assert urllib.request.proxy_bypass("127.0.0.1:8265")
        assert urllib.request.proxy_bypass("localhost:8265")
        assert bool(urllib.request.proxy_bypass("pypi.org")) is (left_out == "*")


def test_a_local_ray_has_what_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "allowed_cpus", lambda: 3)
    monkeypatch.setattr(local, "allowed_memory", lambda: 10**10)
    monkeypatch.setattr(local, "get_system_memory", lambda: 10**11)
    assert local_options() == {"num_cpus": 3, "object_store_memory": 3 * 10**9, "_memory": 7 * 10**9}
    assert local_options(2)["num_cpus"] == 2
    monkeypatch.setattr(local, "get_system_memory", lambda: 10**10)
    assert local_options() == {"num_cpus": 3}
