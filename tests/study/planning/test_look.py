"""What a look at local files tells of a study, before torch or Ray are imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from translearn.cli import main
from translearn.config import load_spec
from translearn.storage.folder import Folder
from translearn.study.directory import open_study
from translearn.study.lock.lock import only_driver

SOURCE = {"name": "imagenet", "arch": "resnet18", "weights": "DEFAULT"}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study file whose data are there; what goes beyond the look fails."""

    def beyond(*_: object) -> None:
        raise SystemExit("went on to torch and Ray")

    monkeypatch.setattr("translearn.cli.study.quiet", beyond)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (16, 16)).save(tmp_path / "pets" / name / f"{index}.png")
    return write(tmp_path)


def write(folder: Path, **fields: object) -> Path:
    tree = {
        "name": "pets",
        "storage": str(folder / "runs"),
        "target": {"data": str(folder / "pets")},
        "sources": [SOURCE],
        **fields,
    }
    (folder / "pets.yaml").write_text(yaml.safe_dump(tree))
    return folder / "pets.yaml"


def test_a_refusal_imports_neither_torch_nor_ray(study: Path) -> None:
    script = (
        "import sys; from translearn.cli import main; code = main(['run', sys.argv[1]]);"
        "print(code, [name for name in ('torch', 'torchvision', 'ray', 'scipy', 'sklearn') if name in sys.modules])"
    )
    write(study.parent, target={"data": str(study.parent / "nowhere")})
    ended = subprocess.run([sys.executable, "-c", script, study], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == [f"study: {study.parent}/runs/pets", "2 []"]
    assert ended.stderr.startswith("error: target: ")


def test_everything_missing_is_told_at_once_and_nothing_is_left(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = study.parent
    (folder / "file").write_text("")
    sources = [
        SOURCE | {"data": str(folder / "no-images"), "arch": "resnet81"},
        {"name": "own", "arch": "resnet18", "checkpoint": "no.pt"},
    ]
    write(folder, target={"data": str(folder / "none")}, sources=sources, storage=str(folder / "file" / "runs"))
    assert main(["run", str(study)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.removeprefix("error: ").partition(":")[0] for line in lines] == [
        "target",
        "imagenet",
        "sources.imagenet.arch",
        "sources.own",
        "storage",
    ]
    assert "got nothing there" in lines[0]
    assert lines[2].endswith("must be a known backbone, but got 'resnet81'. Did you mean 'resnet18'?")
    assert lines[3].startswith("sources.own: must be a readable file, but got nothing at ")
    assert not (folder / "runs").exists()


def test_a_changed_field_is_told(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_study(load_spec(study), "")
    assert main(["run", str(study), "--set", "seed=1"]) == 2
    assert "seed: must stay 0" in capsys.readouterr().err


def test_a_second_driver_is_told_of_the_first(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with only_driver(Folder.open(study.parent / "runs"), "pets"):
        assert main(["run", str(study)]) == 1
        assert "must have one command at work at a time" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="went on"):  # the look does not hold the lock itself
        main(["run", str(study)])


def test_a_report_of_nothing_is_refused(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(study)]) == 2
    assert "must hold evaluation.json, but got none" in capsys.readouterr().err


def test_a_study_that_is_done_says_where_report_and_model_are(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = open_study(load_spec(study), "")
    figures = {"error": 0.1, "low": 0.05, "high": 0.2}
    evaluation = {"target": figures, "transfer": None, "gain_at_convergence": None, "over_probe": None}
    folder.write_json("evaluation.json", {**evaluation, "verdict": {"verdict": "gain"}, "winner": "transfer-0"})
    (folder / "model").write_json("model.json", {})
    with pytest.raises(SystemExit, match="went on"):  # no report yet
        main(["run", str(study)])
    capsys.readouterr()
    folder.write_bytes("report.html", b"")
    assert main(["run", str(study), "--json"]) == 0
    first, told, last = capsys.readouterr().out.splitlines()
    where = f"{study.parent}/runs/pets"
    assert first == f"study: {where}"
    assert told == f"pets is done: report {where}/report.html, model {where}/model"
    found = json.loads(last)
    assert (found["status"], found["target_error"], found["model"]) == ("done", figures, f"{where}/model")
    assert main(["run", str(study), "--set", "seed=1"]) == 2  # not the study that is done
