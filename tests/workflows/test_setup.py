"""The set-up script with stand-ins for the interpreters, uv and df: what it says, and what it runs when."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ["sh", "awk", "cat", "cksum", "cp", "df", "dirname", "head", "ln", "mkdir", "rm", "sed", "seq", "tail"]

# Describes itself, makes environments of copies of itself, and writes down what it was asked.
FAKE_PYTHON = """#!/bin/sh
case "$*" in
  "-c "*ensurepip*) echo "{minor} {complete} 3.{minor}.2 $0" ;;
  "-c "*) ;;
  "-m pip config list") echo "global.index-url='https://mirror.invalid/simple'" ;;
  "-m venv --clear "*) echo "{name} $*" >>calls; mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; cp fake-uv "$4/bin/uv" ;;
  *) echo "{name} $*" >>calls; [ ! -e pip-fails ] ;;
esac
"""
FAKE_UV = """#!/bin/sh
if [ "$*" = "cache dir" ]; then echo uv-cache; exit; fi
echo "uv $* from $UV_DEFAULT_INDEX" >>calls
[ ! -e uv-fails ]
"""
PIP = "-m pip install --disable-pip-version-check --quiet -c constraints.txt"
MADE = "-m venv --clear .venv"
UV = "uv pip install --compile-bytecode --python .venv/bin/python -c constraints.txt"
INSTALLED = f"{UV} -e .[dev] from https://mirror.invalid/simple"


class Project:
    """A copy of what the script reads, and a PATH with nothing on it but basic tools and the given fakes."""

    def __init__(self, root: Path) -> None:
        self.root, self.bin = root, root / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        (root / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/setup.sh", root / "scripts")
        for name in ("pyproject.toml", "constraints.txt"):
            (root / name).write_text("\n")
        self.script(root / "fake-uv", FAKE_UV)
        self.free_mb(20_000)

    def script(self, path: Path, text: str) -> None:
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def python(self, name: str, minor: int, complete: str = "yes") -> None:
        self.script(self.bin / name, FAKE_PYTHON.format(name=name, minor=minor, complete=complete))

    def free_mb(self, number: int) -> None:
        line = f"disk 1 1 {number * 1024} 1% /"
        self.script(self.bin / "df", f"#!/bin/sh\necho header\necho '{line}'\n")

    def run(self, **env: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": str(self.bin), "HOME": str(self.root), **env}
        command = ["sh", "scripts/setup.sh"]
        return subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, timeout=120)

    def calls(self) -> list[str]:
        """What was run since the last question."""
        path = self.root / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def error(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1
    return result.stderr.strip().splitlines()[-1]


INSTALL = "Install one, or name one: make PYTHON=/path/to/python3.11 TARGET."


@pytest.mark.parametrize(
    ("minor", "found"),
    [(None, "none"), (9, "Python 3.9.2 (python3)"), (15, "Python 3.15.2 (python3)")],
)
def test_names_the_python_found_and_the_versions_needed(project: Project, minor: int | None, found: str) -> None:
    if minor:
        project.python("python3", minor)
    assert error(project.run()) == f"setup: python: must be version 3.11 to 3.14, but got {found}. {INSTALL}"
    assert not project.calls()


def test_a_named_python_that_does_not_start(project: Project) -> None:
    project.python("python3.12", 12)
    expected = f"setup: python: must be version 3.11 to 3.14, but got /nowhere/python, which does not start. {INSTALL}"
    assert error(project.run(PYTHON="/nowhere/python")) == expected


def test_python_without_its_venv_package(project: Project) -> None:
    project.python("python3.12", 12, complete="no")
    assert error(project.run()) == (
        "setup: python: must have the modules venv and ensurepip, but got Python 3.12.2 (python3.12) without them. "
        "On Debian or Ubuntu: sudo apt install python3.12-venv, then run make again."
    )


def test_a_shim_without_a_version_behind_it_and_an_incomplete_python_are_passed_over(project: Project) -> None:
    project.script(project.bin / "python3.14", "#!/bin/sh\nexit 127\n")
    project.python("python3.13", 13, complete="no")
    project.python("python3.12", 12)
    project.python("python3.11", 11)
    assert project.run().returncode == 0
    assert project.calls()[0] == f"python3.12 {MADE}"


def test_full_disk(project: Project) -> None:
    project.python("python3", 12)
    project.free_mb(3000)
    assert error(project.run()) == (
        "setup: disk: must have 8192 MB free for .venv (most of it torch's CUDA packages), but got 3000 MB. "
        "Free space, or set VENV to a folder on another disk."
    )
    assert not project.calls()


def test_environment_that_can_not_be_made(project: Project) -> None:
    project.python("python3", 12)
    assert error(project.run(VENV="pyproject.toml/venv")) == (
        "setup: pyproject.toml/venv: must be a folder that can be written, but got one that can not be made. "
        "Make the project folder writable, or set VENV to another folder."
    )


def test_second_run_does_nothing(project: Project) -> None:
    project.python("python3.11", 11)
    assert project.run().returncode == 0
    assert project.calls() == [f"python3.11 {MADE}", f"python3.11 {PIP} uv", INSTALLED]
    again = project.run()
    assert (again.returncode, again.stdout, again.stderr, project.calls()) == (0, "", "", [])


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed_into_the_same_environment(project: Project, name: str) -> None:
    project.python("python3.11", 11)
    project.run()
    project.calls()
    (project.root / name).write_text("# changed\n")
    assert project.run().returncode == 0
    assert project.calls() == [f"python3.11 {PIP} uv", INSTALLED]


def test_newer_python_on_the_machine_does_not_replace_the_environment_but_a_named_one_does(project: Project) -> None:
    project.python("python3.11", 11)
    project.run()
    project.python("python3.13", 13)
    project.calls()
    project.run()
    assert project.calls() == []
    project.run(PYTHON="python3.13")
    assert project.calls()[0] == f"python3.13 {MADE}"


@pytest.mark.parametrize("damage", ["interrupted", "python gone"])
def test_unfinished_or_broken_environment_is_made_anew(project: Project, damage: str) -> None:
    project.python("python3.11", 11)
    if damage == "interrupted":
        (project.root / "pip-fails").touch()
        assert project.run().returncode == 1
        (project.root / "pip-fails").unlink()
    else:
        project.run()
        (project.root / ".venv/bin/python").unlink()
    project.calls()
    assert project.run().returncode == 0
    assert project.calls()[0] == f"python3.11 {MADE}"


def test_interrupted_update_is_made_anew(project: Project) -> None:
    project.python("python3.11", 11)
    project.run()
    (project.root / "constraints.txt").write_text("# changed\n")
    (project.root / "pip-fails").touch()
    assert project.run().returncode == 1
    (project.root / "pip-fails").unlink()
    project.calls()
    project.run()
    assert project.calls()[0] == f"python3.11 {MADE}"


def test_pip_takes_over_where_uv_fails(project: Project) -> None:
    project.python("python3.11", 11)
    (project.root / "uv-fails").touch()
    result = project.run()
    assert (result.returncode, result.stderr) == (0, "setup: uv failed, so pip tries\n")
    assert project.calls()[-1] == f"python3.11 {PIP} -e .[dev]"


def test_uv_stays_away_where_no_index_may_be_used(project: Project) -> None:
    project.python("python3.11", 11)
    assert project.run(PIP_NO_INDEX="1", PIP_FIND_LINKS="wheels").returncode == 0
    assert project.calls() == [f"python3.11 {MADE}", f"python3.11 {PIP} -e .[dev]"]


def test_disk_asked_for_can_be_set(project: Project) -> None:
    project.python("python3.11", 11)
    project.free_mb(3000)
    assert project.run(NEEDED_MB="2500").returncode == 0


def test_index_of_the_user_goes_before_that_of_pip(project: Project) -> None:
    project.python("python3.11", 11)
    project.run(UV_DEFAULT_INDEX="https://chosen.invalid/simple")
    assert project.calls()[-1].endswith("from https://chosen.invalid/simple")


def test_folder_names_with_spaces(tmp_path: Path) -> None:
    root = tmp_path / "a project"
    root.mkdir()
    project = Project(root)
    project.python("my python", 11)
    result = project.run(PYTHON=str(project.bin / "my python"), VENV="an environment")
    assert (result.returncode, result.stderr) == (0, "")
    assert (root / "an environment/translearn-setup").exists()


def test_no_network_with_the_real_python_and_pip(project: Project) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    result = project.run(PYTHON=sys.executable, **nowhere)
    assert error(result) == (
        "setup: packages: must be installed from a package index, but got the error above. Check the network; "
        "a mirror is set with PIP_INDEX_URL=URL, a folder of wheels with PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER."
    )
    assert not (project.root / ".venv/translearn-setup").exists()


_OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ARGS")


def make(*arguments: str) -> str:
    # These tests run below `make test`, of which a make of its own must know nothing.
    environment = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment).stdout


def test_make_alone_lists_every_target() -> None:
    phony = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY"))
    listed = [line.split()[1] for line in make().splitlines()]
    assert sorted(listed) == sorted(phony.split()[1:])


def test_targets_set_up_first_and_run_every_check() -> None:
    lines = make("--dry-run", "test").splitlines()
    assert lines[0] == "sh scripts/setup.sh"
    tools = [line.split()[0].rpartition("/")[2] for line in lines[1:]]
    assert tools == ["ruff", "ruff", "mypy", "lint-imports", "python", "python"]
    assert [line.rstrip().partition("pytest ")[2] for line in lines[-2:]] == [
        '-n 2 -m "not slow and not ray"',
        '-m "not slow and ray"',
    ]
    assert make("--dry-run", "demo").rstrip().endswith("run workflows/configs/demo.yaml")


def test_ci_runs_make_test() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "exec make test"
