"""What ``translearn serve`` refuses at once."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys

import pytest
from deploy_cases import CLASSES

from translearn.deploy.web.limits import Limits
from translearn.deploy.web.request import check_serve
from translearn.errors import InputError


def test_every_fault_at_once_without_torch_ray_or_the_packages(tmp_path):
    code = (
        "import importlib.util, sys; from translearn.cli import main\n"
        "importlib.util.find_spec = lambda name: None\n"
        "assert main(['serve', 'gone', '--replicas', '0', '--max-mb', '0', '--port', '70000']) == 2\n"
        "assert not {'torch', 'ray', 'torchvision', 'starlette'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "error: serve: must find the packages fastapi, python_multipart, starlette, uvicorn, but got no fastapi, no "
        "python_multipart, no starlette, no uvicorn. Run: pip install 'translearn[serve]'.",
        "--max-mb: must be above 0, but got 0.0.",
        f"{tmp_path}/gone: must be a finished model directory, but got no readable model.json. "
        "Let its training finish, or give another directory.",
        "--replicas: must be at least 1, but got 0.",
        "--port: must be from 1 to 65535, but got 70000.",
    ]


def test_a_port_that_is_taken_and_one_that_is_free(model_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError) as error:
            check_serve(str(model_path), "127.0.0.1", port, 2, Limits())
    rule, got = "must be a free address of this machine", f"127.0.0.1:{port} (Address already in use)"
    assert str(error.value) == f"--host and --port: {rule}, but got {got}. Give another one."
    request = check_serve(str(model_path.parent), "127.0.0.1", port, 2, Limits())
    assert (request.url, request.info.classes) == (f"http://127.0.0.1:{port}", CLASSES)
