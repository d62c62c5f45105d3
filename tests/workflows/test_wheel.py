"""A wheel of this repository, in an environment of its own: it holds all it needs, and works outside the repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy_cases import CLASSES, made_model
from sources import image, write_files

import translearn
from translearn.cluster.session import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
#: The demo, made small.
SMALL = [
    "storage=runs",  # where the command runs
    *("search.trials=4", "search.epochs=2", "search.grace_epochs=1", "refit.seeds=1", "refit.epochs=1"),
    *("refit.baseline_cap=1", "train.batch_size=16"),
    *("sources.0.pretrain.epochs=1", "sources.1.pretrain.epochs=1"),
    *("sources.0.pretrain.ingest.limit_per_class=10", "sources.1.pretrain.ingest.limit_per_class=10"),
]


def files() -> set[str]:
    """What git has, or would have after ``git add``."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {name for name in names if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves its work beside the sources."""
    place = tmp_path_factory.mktemp("build")
    for name in files():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    subprocess.run([str(UV), "build", "--quiet", "--wheel", "--out-dir", "dist", "."], cwd=place, check=True)
    [built] = (place / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The programs of a new environment with the wheel and what it asks for, at the tested versions."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([str(UV), "venv", "--quiet", "--python", sys.executable, str(place)], check=True)
    install(place / "bin", str(wheel))
    yield place / "bin"
    shutil.rmtree(place)  # gigabytes


def install(programs: Path, what: str) -> None:
    """Install something into the environment of these programs, at the tested versions."""
    into = ["--quiet", "--python", str(programs / "python"), "-c", str(ROOT / "constraints.txt")]
    subprocess.run([str(UV), "pip", "install", *into, what], check=True)


def bare() -> dict[str, str]:
    """Return the variables of a shell that knows nothing of this environment, of the repository, or of a Ray."""
    gone = {"PYTHONPATH", "VIRTUAL_ENV", "RAY_ADDRESS"}
    kept = {name: value for name, value in os.environ.items() if name not in gone}
    paths = os.pathsep.join(part for part in kept["PATH"].split(os.pathsep) if not Path(part).is_relative_to(ROOT))
    return {**kept, "PATH": paths}


def call(folder: Path, *command: object) -> str:
    """Run a command in a folder, with the variables of ``bare``."""
    done = subprocess.run(list(map(str, command)), cwd=folder, env=bare(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_it_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == {name for name in files() if name.startswith("translearn/")}


def test_a_model_is_used_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    where = call(tmp_path, installed / "python", "-c", "import translearn; print(translearn.__file__)")
    assert Path(where.strip()).is_relative_to(installed.parent)
    made_model(tmp_path / "model")
    write_files(tmp_path, {"photos/a.jpg": image(1), "photos/b.png": image(2)})
    call(tmp_path, installed / "translearn", "predict", "model", "photos", "--out", "found.csv")
    assert len((tmp_path / "found.csv").read_text().splitlines()) == 3
    script = "import translearn as tl; print(len(tl.load_model('model').predict('photos/a.jpg')))"
    assert call(tmp_path, installed / "python", "-c", script) == "1\n"


@pytest.mark.ray
def test_the_demo_runs_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "workflows/configs/demo.yaml", tmp_path)
    sets = [part for change in SMALL for part in ("--set", change)]
    assert "Target error:" in call(tmp_path, installed / "translearn", "run", "demo.yaml", *sets)
    assert (tmp_path / "runs/demo/report.html").exists()
    script = "import translearn as tl; print(tl.load_result('runs/demo').model.classes[0])"
    assert call(tmp_path, installed / "python", "-c", script) == "0\n"


@pytest.mark.ray
def test_a_model_is_served_outside_the_repository(installed: Path, wheel: Path, tmp_path: Path) -> None:
    install(installed, f"translearn[serve] @ {wheel.as_uri()}")
    made_model(tmp_path / "model")
    port, log = free_port(), tmp_path / "errors"
    command = [str(installed / "translearn"), "serve", "model", "--port", str(port), "--timeout", "120"]
    with open(log, "w") as errors:
        pipes = {"stdout": subprocess.PIPE, "stderr": errors, "text": True}
        process = subprocess.Popen(command, cwd=tmp_path, env=bare(), **pipes)
        try:
            assert process.stdout.readline().endswith(f", on http://127.0.0.1:{port}/\n"), log.read_text()
            request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", data=image(1))
            with urllib.request.urlopen(request, timeout=200) as reply:
                assert json.loads(reply.read())["predictions"][0]["class"] in CLASSES
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=120) == 0, log.read_text()


def test_the_version_is_the_same_everywhere(wheel: Path) -> None:
    assert wheel.name == f"translearn-{translearn.__version__}-py3-none-any.whl"
    latest = re.search(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert latest
    assert latest[1] in (translearn.__version__, "Unreleased")
