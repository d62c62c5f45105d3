"""The study file that is written for a folder of images: what it chooses, and what it leaves alone."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from translearn.cli import main
from translearn.config import StudySpec, load_spec
from translearn.models.backbones.pretrained import cached_file, find_weights
from translearn.study.start import facts, weights
from translearn.study.start.file import names_images
from translearn.study.start.weights import LARGE, SMALL


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``data/pets``; no weights are cached, and no server answers."""
    for name in ("cat", "dog"):
        (tmp_path / "data/pets" / name).mkdir(parents=True)
        for index in range(10):
            Image.new("RGB", (90, 70)).save(tmp_path / "data/pets" / name / f"{index}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(weights, "is_reachable", lambda _: False)
    monkeypatch.setattr(facts, "has_gpu", lambda: False)
    return tmp_path


def cache(*found: weights.Weights) -> None:
    weights.cache().mkdir(parents=True, exist_ok=True)
    for one in found:
        (weights.cache() / one.file).touch()


def written(source: str = "data/pets", name: str = "pets") -> StudySpec:
    assert main(["init", source]) == 0
    return load_spec(f"{name}.yaml")


def test_the_study_of_a_folder_follows_from_the_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache(SMALL[0])
    spec = written()
    assert (spec.name, spec.storage, spec.target.data) == ("pets", f"{here}/runs", f"{here}/data/pets")
    assert spec.target.image_size == 96
    assert [(one.arch, one.weights) for one in spec.sources] == [("resnet18", "IMAGENET1K_V1")]
    text = Path("pets.yaml").read_text()
    assert "data: data/pets # 20 images of 2 classes" in text
    assert "500 steps: 500 are enough for" in text
    assert capsys.readouterr().out == (
        "wrote pets.yaml: 20 images of 2 classes, 96 pixels a side, from resnet18 IMAGENET1K_V1\n"
        "Start it: translearn run pets.yaml\n"
    )


def test_with_a_gpu_networks_and_images_are_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "has_gpu", lambda: True)
    monkeypatch.setattr(weights, "is_reachable", lambda one: one == LARGE[0])
    Image.new("RGB", (900, 700)).save("data/pets/cat/0.png")
    spec = written()
    assert {(one.arch, one.weights) for one in spec.sources} == {(one.arch, one.name) for one in LARGE}
    assert "downloaded once, 103 MB" in Path("pets.yaml").read_text()


def test_weights_that_are_here_take_the_place_of_those_that_are_not() -> None:
    cache(SMALL[2])
    assert [(one.arch, one.weights) for one in written().sources] == [("mobilenet_v2", "IMAGENET1K_V2")]


def test_without_any_weights_the_file_says_how_to_get_them(capsys: pytest.CaptureFixture[str]) -> None:
    spec = written()
    assert [one.name for one in spec.sources if one.pretrain] == ["textures"]
    text = Path("pets.yaml").read_text()
    assert "https://download.pytorch.org/models/resnet18-f37072fd.pth" in text
    assert f"in {weights.cache()}" in text
    assert "the file says how to get them" in capsys.readouterr().out


def test_every_choice_has_its_reason() -> None:
    written()
    text = Path("pets.yaml").read_text()
    assert [line for line in text.splitlines() if line.startswith("  ") and ":" in line and "#" not in line] == [
        "    arch: resnet18",
        '    pretrain: {data: "procedural:textures?num=1500&size=96", epochs: 5, lr: 0.05}',
    ]
    assert max(len(line) for line in text.replace(str(weights.cache()), "CACHE").splitlines()) <= 120


@pytest.mark.parametrize(
    ("source", "name"),
    [("data/pets/", "pets"), (".", "."), ("2024", "2024"), ("true", "true"), ("my pets#1", "my-pets-1")],
)
def test_any_name_of_a_folder_will_do(here: Path, source: str, name: str) -> None:
    if source not in (".", "data/pets/"):
        (here / "data/pets").rename(here / source)
    if source == ".":
        name = here.name
        (here / "data/pets/cat").rename(here / "cat")
        (here / "data/pets/dog").rename(here / "dog")
        (here / "data/pets").rmdir()
        (here / "data").rmdir()
    spec = written(source, name)
    assert (spec.name, spec.target.data) == (name, str((here / source).absolute()).rstrip("/"))


def test_a_table_and_a_named_set_have_a_study_too(here: Path) -> None:
    rows = [f"{name}/{index}.png,{name}" for name in ("cat", "dog") for index in range(10)]
    Path("data/pets/all.csv").write_text("\n".join(["path,label", *rows]))
    assert written("data/pets/all.csv", "all").target.data == f"{here}/data/pets/all.csv"
    assert written("sklearn:digits", "digits").target.image_size == 64


def test_another_file_is_never_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pets.yaml").write_text("mine")
    assert main(["init", "data/pets"]) == 2
    assert Path("pets.yaml").read_text() == "mine"
    assert capsys.readouterr().err == (
        "error: pets.yaml: must not be there, or be what is written now, but got another file. "
        "Delete it, or move it away.\n"
    )


def test_the_same_file_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    written()
    before = Path("pets.yaml").stat()
    capsys.readouterr()
    written()
    assert Path("pets.yaml").stat().st_mtime_ns == before.st_mtime_ns
    assert capsys.readouterr().out.startswith("pets.yaml is there already\n")


def test_run_writes_the_file_and_uses_it_again_with_the_changes_of_the_user(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def beyond() -> None:
        raise SystemExit("went on to torch and Ray")

    monkeypatch.setattr("translearn.cli.study.quiet", beyond)
    with pytest.raises(SystemExit):
        main(["run", "data/pets"])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("wrote pets.yaml: 20 images of 2 classes")
    assert second == f"study: {here}/runs/pets"
    changed = Path("pets.yaml").read_text().replace("trials: 12", "trials: 20")
    Path("pets.yaml").write_text(changed)
    with pytest.raises(SystemExit):
        main(["run", "data/pets"])
    assert capsys.readouterr().out.splitlines()[0] == "pets.yaml is there already, and is used as it is"
    assert Path("pets.yaml").read_text() == changed


def test_run_refuses_the_file_of_other_images(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written()
    (here / "other").mkdir()
    (here / "data/pets").rename(here / "other/pets")
    assert main(["run", "other/pets"]) == 2
    assert capsys.readouterr().err.startswith(
        f"error: pets.yaml: must be a study of {here}/other/pets, but got one of {here}/data/pets. "
    )


def test_a_folder_without_classes_is_refused_and_nothing_is_written(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "data/pets/cat"]) == 2
    assert "must have labelled images of at least 2 classes" in capsys.readouterr().err
    assert list(here.glob("*.yaml")) == []


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("data/pets", True),
        ("pets.yaml", False),
        ("none", False),
        ("a.csv", True),
        ("s3://b/pets", True),
        ("procedural:glyphs", True),
    ],
)
def test_images_are_told_from_study_files(text: str, images: bool) -> None:
    assert names_images(text) is images


@pytest.mark.parametrize("known", [*LARGE, *SMALL], ids=lambda one: one.file)
def test_the_files_are_torchvisions(known: weights.Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = find_weights(known.arch, known.name)
    assert cached_file(entry.url) == weights.cache() / known.file
    assert entry.url == f"{weights.HOST}/{known.file}"
    assert entry.meta["_file_size"] * 2**20 == pytest.approx(known.megabytes * 10**6, rel=0.03)
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cached_file(entry.url) == weights.cache() / known.file


def test_init_imports_neither_torch_nor_ray(here: Path) -> None:
    script = (
        "import sys; from translearn.cli import main; from translearn.study.start import weights;"
        "weights.is_reachable = lambda _: False; main(['init', 'data/pets', '--json']);"
        "print([name for name in ('torch', 'ray', 'scipy', 'sklearn') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *_, told, imported = ended.stdout.splitlines()
    assert json.loads(told) == {"command": "init", "status": "done", "study": "pets.yaml"}
    assert imported == "[]"


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"translearn {importlib.metadata.version('translearn')}\n"
