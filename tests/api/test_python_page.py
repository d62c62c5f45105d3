"""The Python interface: what docs/python.md shows runs, has types, and is all there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from deploy_cases import made_model
from mypy import api as mypy
from PIL import Image
from report_cases import study as made_record
from sources import image, write_files

import translearn as tl
from translearn import api
from translearn.config import StudySpec, load_spec, parse_spec
from translearn.config.paths import with_absolute_paths
from translearn.errors import InputError, SpecError
from translearn.storage.folder import Folder
from translearn.study import directory

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
SOURCE = {"name": "imagenet", "arch": "resnet18", "weights": "IMAGENET1K_V1"}
TREE = {"name": "pets", "target": {"data": "data/pets"}, "sources": [SOURCE]}


def made_study(path: Path) -> Path:
    """What a finished study leaves, as far as a result reads it; returns its place."""
    record, folder = made_record(), Folder.open(path)
    folder.write_json(directory.EVALUATION, record.evaluation)
    folder.write_table(directory.TRIALS, record.trials)
    folder.write_table(directory.CURVES, record.curves)
    spec = parse_spec(with_absolute_paths({"storage": "runs", **TREE}, path.parents[1]))
    folder.write_bytes(directory.SPEC, directory.dump_spec(spec).encode())
    folder.write_bytes(directory.REPORT, b"a page")
    made_model(path / directory.MODEL)
    return path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_study(tmp_path_factory.mktemp("home") / "runs" / "pets")


def test_the_examples_of_the_page_run(finished, tmp_path, monkeypatch, capsys):
    (tmp_path / "runs").symlink_to(finished.parent)
    (tmp_path / "pets.yaml").write_text(yaml.safe_dump(TREE))
    write_files(tmp_path, {"photos/a.jpg": image(1), "photos/b.png": image(2)})
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert len(names["best"]) == 5
    printed = capsys.readouterr().out
    assert printed.startswith(f"12 {tmp_path}/runs\ntarget.imagesize: is not a known key. Did you mean 'image_size'?\n")
    assert f"\nhelped\n{names['result'].summary[-1]} {finished}/report.html\n" in printed


@pytest.mark.slow  # mypy reads all of torch
def test_the_page_has_types(tmp_path):
    wrong = 'tl.Study(name=3, target={}, sources=[])\ntl.run("pets.yaml")\nresult.verdict + 1\ntl.nothing\n'
    (tmp_path / "page.py").write_text("".join(BLOCKS))
    (tmp_path / "wrong.py").write_text("".join(BLOCKS) + wrong)
    options = ["--strict", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    out, err, _ = mypy.run([*options, str(tmp_path / "page.py"), str(tmp_path / "wrong.py")])
    assert re.findall(r"(\w+\.py):\d+: error: .*\[([\w-]+)\]", out) == [
        ("wrong.py", "arg-type"),
        ("wrong.py", "arg-type"),
        ("wrong.py", "operator"),
        ("wrong.py", "attr-defined"),
    ], out + err


def test_the_page_names_everything():
    assert {f"tl.{name}" for name in tl.__all__} - {"tl.Model", "tl.Result", "tl.__version__"} == set(
        re.findall(r"^\| `(tl\.\w+)\(", PAGE, re.MULTILINE)
    )
    assert set(tl.__all__) <= set(dir(tl))


def test_importing_it_and_making_a_study_imports_neither_torch_nor_ray():
    script = (
        "import sys, translearn as tl\n"
        f"tl.Study(name='pets', target={{'data': 'x'}}, sources=[{SOURCE}])\n"
        "print({'torch', 'ray'} & set(sys.modules), file=sys.stderr)\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stderr == "set()\n"


def test_a_study_in_python_is_that_of_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pets.yaml").write_text(yaml.safe_dump(TREE))
    loaded = tl.load_study(tmp_path / "pets.yaml", ["seed=3"])
    made = tl.Study(name="pets", target={"data": Path("data/pets")}, sources=[SOURCE], seed=3)
    assert loaded == made
    assert made.model_dump() == load_spec(tmp_path / "pets.yaml", ["seed=3"]).model_dump()
    assert tl.Study.model_validate_json(made.model_dump_json()) == made


def test_the_fields_of_a_study_are_those_of_the_file():
    assert set(api.StudyFields.__annotations__) == set(StudySpec.model_fields)


def test_faults_of_a_study_are_those_of_the_file():
    tree = {"name": "a/b", "target": {}, "sourcs": []}
    with pytest.raises(SpecError) as of_file:
        parse_spec(tree)
    with pytest.raises(SpecError) as caught:
        tl.Study(**tree)
    assert str(caught.value) == str(of_file.value)
    assert len(str(caught.value).splitlines()) == 4


def test_a_result_has_the_figures_the_tables_and_the_model(finished):
    result = tl.load_result(finished)
    assert result.verdict == "helped"
    assert result.summary == result.evaluation["summary"]
    assert isinstance(result.trials, pa.Table)
    assert len(result.trials.to_pandas()) == 40
    assert set(result.curves["stage"].to_pylist()) == {"search", "refit", "pretrain"}
    assert result.report == str(finished / "report.html")
    assert result.model is result.model
    assert result.model.predict([image(1), Image.new("RGB", (40, 30))]).to_arrow().num_rows == 2
    assert repr(result) == f"<Result of {finished}: helped>"


def test_a_notebook_shows_the_summary_and_no_markup_of_others(finished, tmp_path):
    result, name = tl.load_result(finished), "<script>alert(1)</script>"
    page = result._repr_html_()
    assert page.startswith('<div class="translearn">\n<h3>Transfer helped</h3>\n<p>Its error of ')
    assert page.count("<li>") == len(result.summary) - 1
    assert f"Report: <code>{finished}/report.html</code><br>Model: <code>{finished}/model</code>" in page
    lines = [f"Winner: {name}.", result.summary[-1]]
    Folder.open(tmp_path).write_json(directory.EVALUATION, {**result.evaluation, "summary": lines})
    assert "<li>Winner: &lt;script&gt;alert(1)&lt;/script&gt;.</li>" in tl.load_result(tmp_path)._repr_html_()


def test_a_study_that_is_not_done_has_no_result(tmp_path):
    with pytest.raises(InputError) as caught:
        tl.load_result(tmp_path / "pets")
    assert str(caught.value) == (
        f"{tmp_path}/pets: must be the directory of a study that is done, with evaluation.json, but got none. "
        "Run the study, or name <storage>/<name>."
    )
