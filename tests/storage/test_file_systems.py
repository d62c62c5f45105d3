"""A storage that does not answer, or answers with errors, late, or not at all; and addresses that are refused."""

from __future__ import annotations

import pickle
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from s3_server import CREDENTIALS, S3Server

from translearn.errors import StorageError
from translearn.storage.file_systems import HASTY, PATIENT, Patience, open_file_system
from translearn.storage.folder import Folder

BRIEF = Patience(retries=3, silence_s=1.0)


@pytest.fixture
def folder(s3: S3Server, request: pytest.FixtureRequest) -> Folder:
    """A folder with a file ``old``; another one for each test."""
    folder = Folder.open(s3.address(request.node.name.replace("[", "-").replace("]", "")))
    folder.write_bytes("old", b"content")
    s3.requests.clear()
    return folder


def unchanged(folder: Folder) -> bool:
    return folder.names() == ["old"] and folder.read_bytes("old") == b"content"


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Slow Down", "429 Too Many Requests"])
@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("PUT", lambda folder: folder.write_bytes("new", b"1")),
        ("PUT", lambda folder: folder.write_bytes("new", bytes(12 * 2**20))),  # in parts
        ("POST", lambda folder: folder.write_bytes("new", bytes(12 * 2**20))),
        ("GET", lambda folder: folder.read_bytes("old")),
        ("GET", lambda folder: folder.names()),
        ("HEAD", lambda folder: folder.exists("old")),
        ("DELETE", lambda folder: folder.remove_file("old")),
        ("POST", lambda folder: folder.remove()),
    ],
    ids=["write", "write-parts", "begin-parts", "read", "list", "look", "delete", "delete-folder"],
)
def test_errors_of_a_server_are_outlasted(
    s3: S3Server, folder: Folder, method: str, call: Callable[[Folder], object], status: str
) -> None:
    s3.fail(method, 4, status)
    call(folder)
    assert sum(kind == method for kind, _ in s3.requests) > 4


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_minute_of_errors_is_outlasted_for_real(s3: S3Server, folder: Folder) -> None:
    """A storage that is away for a minute: what is written and read meanwhile is done when it is back."""
    for method in ("PUT", "GET", "HEAD"):
        s3.fail(method, 10**9)
    started = time.monotonic()
    back = threading.Timer(60, s3.recover)
    back.start()
    with ThreadPoolExecutor(2) as pool:
        written = pool.submit(folder.write_bytes, "new", b"1")
        assert pool.submit(folder.read_bytes, "old").result() == b"content"
        written.result()
    assert 60 < time.monotonic() - started < PATIENT.waits_s + 60
    assert folder.names() == ["new", "old"]


def test_a_late_answer_is_waited_for(s3: S3Server, folder: Folder) -> None:
    s3.delay(3.5)  # pyarrow gives up after 3 s
    assert folder.read_bytes("old") == b"content"
    assert len(s3.requests) == 2  # its size, and its content


def test_work_outlasts_a_minute_and_gives_up_within_five() -> None:
    assert 60 < PATIENT.waits_s < PATIENT.waits_s + (PATIENT.retries + 1) * PATIENT.silence_s < 300
    assert HASTY.waits_s < 2


def test_patience_is_kept_in_another_process(s3: S3Server, folder: Folder) -> None:
    s3.fail("GET", 6)  # pyarrow gives up after 3
    assert pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(folder)))).read_bytes("old") == b"content"


@pytest.mark.parametrize("content", [b"1", bytes(12 * 2**20)], ids=["small", "parts"])
def test_an_outage_that_lasts_is_one_clear_error_and_leaves_nothing_half_written(
    s3: S3Server, folder: Folder, content: bytes
) -> None:
    brief = Folder.open(folder.uri, BRIEF)
    for method in ("PUT", "POST"):
        s3.fail(method, 1000)
    with pytest.raises(StorageError) as caught:
        brief.write_bytes("new", content)
    assert str(caught.value).startswith(f"{folder.address('new')}: cannot be written (")
    assert "503" in str(caught.value)
    assert str(caught.value).endswith("). Free space or choose another `storage`.")
    s3.recover()
    assert unchanged(folder)


def test_a_server_that_never_answers_is_given_up(s3: S3Server, folder: Folder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"s3://bucket/x?region=us-east-1&endpoint_override=http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(StorageError, match="cannot be read"):
            Folder.open(address, Patience(retries=1, silence_s=1.0)).exists("x")
    assert time.monotonic() - started < 30


def test_a_bucket_that_is_not_there_is_an_error_at_once(s3: S3Server) -> None:
    folder = Folder.open(s3.address("x").replace("s3://bucket/", "s3://another/"))
    s3.requests.clear()
    with pytest.raises(StorageError, match=r"(?i)no_?such_?bucket"):
        folder.write_bytes("new", b"1")
    assert len(s3.requests) == 1


def test_the_endpoint_may_come_from_the_environment(s3: S3Server, folder: Folder, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    plain = Folder.open(folder.uri.partition("?")[0])
    assert plain.uri == f"s3://{folder.path}"
    assert plain.read_bytes("old") == b"content"


def test_google_s_storage_has_a_limit_of_time_too() -> None:
    fs, path = open_file_system("gs://anonymous@bucket/studies")
    assert path == "bucket/studies"
    assert "102" in repr(fs.__reduce__())


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (
            "s3://bucket/x?regio=eu-west-1",
            "storage: must have options out of region, scheme, endpoint_override, tls_ca_file_path, but got 'regio'. "
            "For example s3://bucket/studies?region=eu-west-1.",
        ),
        (
            "s3://key:sec/ret@bucket/x",
            "storage: must hold no keys, passwords or tokens, but got s3://***@bucket/x. Leave them out: "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, or the role of the machine "
            "are read where the storage is used.",
        ),
    ],
)
def test_an_address_that_is_refused(address: str, line: str) -> None:
    with pytest.raises(StorageError) as caught:
        Folder.open(address)
    assert str(caught.value) == line


def test_credentials_are_in_no_text_of_a_folder(s3: S3Server, folder: Folder) -> None:
    texts = [repr(folder), folder.uri, repr(pickle.dumps(folder))]
    assert not [text for text in texts if CREDENTIALS["AWS_SECRET_ACCESS_KEY"] in text]
