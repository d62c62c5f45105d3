"""``translearn serve`` with a real Ray Serve: the page in a browser, and load while a replica is killed."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import Browser, find
from deploy_cases import made_model
from hostile_images import OTHERS
from sources import image

import translearn
from translearn.cluster.session import free_port

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Server:
    """A running command: its address, what it printed first, and its process's number."""

    url: str
    lines: list[str]
    pid: int


@pytest.fixture(scope="module")
def model_path(tmp_path_factory) -> Path:
    return made_model(tmp_path_factory.mktemp("served") / "model")


@pytest.fixture(scope="module")
def server(model_path, tmp_path_factory):
    """The command in a process of its own; with the usual options."""
    port, log = free_port(), tmp_path_factory.mktemp("log") / "errors"
    command = [
        sys.executable,
        "-m",
        "translearn.cli",
        "serve",
        str(model_path),
        "--port",
        str(port),
        "--timeout",
        "120",
    ]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    with open(log, "w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        try:
            lines = [process.stdout.readline(), process.stdout.readline()]
            assert all(lines), log.read_text()
            yield Server(f"http://127.0.0.1:{port}", lines, process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=120) == 0, log.read_text()


def post(url: str, content: bytes, timeout: float = 200) -> tuple[int, dict]:
    """The status and the JSON of one request, sent once."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=content), timeout=timeout) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_predictions_are_those_of_the_model(server, model_path):
    url, lines = server.url, server.lines
    assert lines[0].startswith("Serving ")
    assert f", resnet18 with 3 classes, on {url}/" in lines[0]
    expected = translearn.load_model(model_path, device="cpu").predict(image(1, 40))
    status, told = post(f"{url}/predict", image(1, 40))
    assert status == 200
    assert told["predictions"][0]["class"] == expected.classes[0]
    assert told["predictions"][0]["probability"] == pytest.approx(expected.probabilities.max(), abs=1e-5)


@pytest.mark.parametrize("kind", OTHERS)
def test_hostile_images_are_refused(server, kind):
    status, told = post(f"{server.url}/predict", OTHERS[kind])
    assert status == 422
    assert "is not an image in one of the formats" in told["error"]


def test_what_is_too_large_is_refused(server):
    assert post(f"{server.url}/predict", bytes(33_000_000))[0] == 413


def test_it_listens_on_this_machine_only(server):
    port = int(server.url.rpartition(":")[2])
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    listening = [line.split()[1] for table in tables for line in table if line.split()[3] == "0A"]
    assert [address for address in listening if int(address.split(":")[1], 16) == port] == [f"0100007F:{port:04X}"]


def test_no_request_is_lost_while_a_replica_is_killed(server):
    """Four callers that never try again; the replica is killed by its process, without a word to Serve."""
    killed, ended = [], threading.Event()

    def caller(number: int) -> list[int]:
        statuses = []
        while not ended.is_set() or len(statuses) < 50:
            statuses.append(post(f"{server.url}/predict", image(number * 1000 + len(statuses), 40))[0])
        return statuses

    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(caller, number) for number in range(4)]
        for _ in range(2):
            time.sleep(3)
            killed.append(_replicas(server.pid, "Predictor")[0])
            os.kill(killed[-1], signal.SIGKILL)
            while len(set(_replicas(server.pid, "Predictor")) - set(killed)) < 2:  # Serve starts another one
                time.sleep(0.5)
        ended.set()
        statuses = [status for one in callers for status in one.result()]
    assert len(statuses) >= 200
    assert set(statuses) == {200}


def test_metrics_are_exported(server):
    url = re.findall(r"http://\S+/metrics", server.lines[1])[0]
    end = time.monotonic() + 60
    while True:
        text = urllib.request.urlopen(url, timeout=10).read().decode()
        if "ray_translearn_served_images" in text and "ray_serve_num_http_requests" in text:
            break
        assert time.monotonic() < end
        time.sleep(2)
    assert re.search(r'ray_translearn_served_images\w*\{[^}]*outcome="refused"', text)


@pytest.mark.skipif(find() is None, reason="there is no Chromium")
def test_the_page_shows_classes_and_the_picture_as_the_model_saw_it(server, tmp_path):
    browser = Browser(find(), tmp_path / "profile")
    try:
        _check_page(browser, server.url, tmp_path)
    finally:
        browser.close()


def _check_page(browser: Browser, url: str, folder: Path) -> None:
    (folder / "cat <b>.png").write_bytes(image(3, 64))
    (folder / "text.png").write_bytes(b"no image")
    browser.do("Page.navigate", url=url)
    told = browser.wait("document.getElementById('model')?.textContent")
    assert told == "resnet18 at 32 × 32 pixels, 3 classes: cat, dog, newt"
    content = base64.b64encode(image(3, 64)).decode()
    browser.value(f"""(() => {{
        const bytes = Uint8Array.from(atob("{content}"), (c) => c.charCodeAt(0));
        const moved = new DataTransfer();
        moved.items.add(new File([bytes], "cat <b>.png", {{ type: "image/png" }}));
        document.body.dispatchEvent(new DragEvent("drop", {{ dataTransfer: moved, bubbles: true, cancelable: true }}));
    }})()""")
    browser.wait("document.querySelector('article img')?.complete")
    assert browser.value("document.querySelector('article img').naturalWidth") == 32
    assert browser.value("document.querySelector('figcaption').textContent") == "cat <b>.png, as the model saw it"
    assert browser.value("document.querySelectorAll('.class').length") == 3
    first = browser.value("document.querySelector('h2').textContent")
    assert re.fullmatch(r"(cat|dog|newt), \d+\.\d %", first)
    root = browser.do("DOM.getDocument")["root"]["nodeId"]
    file = browser.do("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    browser.do("DOM.setFileInputFiles", nodeId=file, files=[str(folder / "text.png")])
    assert "text.png: is not an image" in browser.wait("document.getElementById('error').textContent")
    if shot := os.environ.get("TRANSLEARN_SCREENSHOT"):
        Path(shot).write_bytes(base64.b64decode(browser.do("Page.captureScreenshot")["data"]))
    refused = "the server responded with a status of 422"  # which Chromium calls an error, and the page tells
    assert [problem for problem in browser.problems if refused not in problem] == []


def _replicas(server: int, name: str) -> list[int]:
    """The process numbers of a deployment's replicas that live, of this server's Ray alone."""
    status = {int(path.name): _status(path) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    title = f"ray::ServeReplica:translearn:{name}"
    return sorted(
        number for number, (_, line) in status.items() if line.startswith(title) and _is_below(number, server, status)
    )


def _status(process: Path) -> tuple[int, str]:
    """The parent's number and the command line of a process; zero and nothing where it has ended."""
    try:
        parent = re.findall(r"^PPid:\s+(\d+)$", (process / "status").read_text(), re.M)[0]
        return int(parent), (process / "cmdline").read_text().replace("\0", " ")
    except (OSError, IndexError):
        return 0, ""


def _is_below(number: int, above: int, status: dict[int, tuple[int, str]]) -> bool:
    while number in status and number != above:
        number = status[number][0]
    return number == above
