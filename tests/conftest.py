"""What tests of several folders need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from s3_server import CREDENTIALS, S3Server


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Bits differ between one thread and two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def s3_process() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.close()


@pytest.fixture
def s3(s3_process: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A real S3 server that answers everything, and credentials for it in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    s3_process.recover()
    yield s3_process
    s3_process.recover()
