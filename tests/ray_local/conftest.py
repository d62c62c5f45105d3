"""One local Ray for all tests of this folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_server import CREDENTIALS

from translearn.cluster.session import session


@pytest.fixture(scope="session")
def ray_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the dashboard is; Ray listens on 127.0.0.1 only."""
    with pytest.MonkeyPatch.context() as environment:
        # What Ray's processes inherit: the `python` of jobs, and what the S3 server of some tests asks for.
        environment.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        for name, value in CREDENTIALS.items():
            environment.setenv(name, value)
        with session("local", dashboard=True, num_cpus=2) as url:
            yield url
