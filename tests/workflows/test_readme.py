"""What the README, the docs and the shipped studies say is so: commands, YAML, links, the annotated tree."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from ray.scripts.scripts import cli as ray_cli

from translearn import config as spec
from translearn.cli.main import parser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()
BASE = {"name": "base", "target": {"data": "x"}, "sources": [{"name": "a", "arch": "resnet18", "weights": "DEFAULT"}]}
UNCHECKED = {"chmod", "export", "pip", "source", "tensorboard"}  # no command of ours or of Ray's


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[list[str]]:
    for block in blocks(text, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def parse(arguments: list[str]) -> None:
    try:
        parser().parse_args(arguments)
    except SystemExit:
        pytest.fail(f"translearn does not take {shlex.join(arguments)}")


def parse_by_ray(arguments: list[str]) -> dict[str, Any]:
    command: click.Command = ray_cli
    while isinstance(command, click.Group):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    return command.make_context(command.name, arguments).params


def check(words: list[str]) -> None:
    """Fails where a command of the pages would be refused."""
    program, *arguments = words
    if program == "translearn":
        parse(arguments)
    elif program == "python":
        script = ROOT / arguments[0]
        assert f'main(["{script.stem}", *sys.argv[1:]])' in script.read_text()
        parse([script.stem, *arguments[1:]])
    elif program == "make":
        assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif program == "ray":
        if entrypoint := parse_by_ray(arguments).get("entrypoint"):
            check(list(entrypoint))
    else:
        assert program in UNCHECKED


def studies_named(words: list[str]) -> list[Path]:
    return [ROOT / word for word in words if word.startswith("workflows/configs/")]


@pytest.mark.parametrize("words", [pytest.param(w, id=shlex.join(w)) for p in PAGES for w in commands(p.read_text())])
def test_a_command_of_the_pages_is_accepted(words: list[str]) -> None:
    check(words)
    for study in studies_named(words):
        spec.load_spec(study, [after for word, after in itertools.pairwise(words) if word == "--set"])


@pytest.mark.parametrize("line", ["python workflows/run.py", "translearn run a.yaml --jsn", "ray job sbmit", "mke all"])
def test_a_wrong_command_would_be_found(line: str) -> None:
    with pytest.raises((AssertionError, KeyError, click.UsageError, pytest.fail.Exception)):
        check(line.split())


def test_the_commands_in_the_heads_of_the_studies_are_accepted() -> None:
    heads = [path.read_text() for path in (ROOT / "workflows/configs").glob("*.yaml")]
    found = [line for head in heads for line in re.findall(r"(?:translearn run|ray job submit) [^`\n]*", head)]
    assert len(found) >= 2
    for line in found:
        check(shlex.split(line))
        assert all(study.exists() for study in studies_named(shlex.split(line)))


def test_the_command_table_has_every_command_and_its_own_options() -> None:
    rows = re.findall(r"^\| `translearn (\S+)([^`]*)` \|(.*)$", README, re.MULTILINE)
    [subparsers] = [action for action in parser()._actions if action.dest == "command"]
    choices: Any = subparsers.choices
    shared = {"-h", "--help", "--dry-run", "--json", "--address", "--set", "--no-dashboard"}
    expected = {name: set(sub._option_string_actions) - shared for name, sub in choices.items()}
    assert {name: set(re.findall(r"--[a-z0-9-]+", usage + text)) for name, usage, text in rows} == expected
    assert {(ROOT / f"workflows/{name}.py").exists() for name in choices} == {True}


@pytest.mark.parametrize("block", [b for page in PAGES for b in blocks(page.read_text(), "yaml")])
def test_yaml_of_the_pages_is_a_study_or_a_part_of_one(block: str, tmp_path: Path) -> None:
    tree = yaml.safe_load(block)
    study = tmp_path / "study.yaml"
    study.write_text(block if "name" in tree else yaml.safe_dump({**BASE, **tree}))
    spec.load_spec(study)


@pytest.mark.parametrize("path", sorted((ROOT / "workflows/configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_study_loads_and_the_search_has_room_for_its_first_points(path: Path) -> None:
    study = spec.load_spec(path)
    assert study.search.trials > len(study.sources) + 3 * len(study.archs)


def test_links_lead_to_files() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def tree_paths(tree: str) -> list[str]:
    """The paths of an annotated tree with two spaces a level; a folder ends with a slash."""
    paths, above = [], ""
    for line in tree.splitlines():
        name = line.split()[0]
        indented = line.startswith("  ")
        paths.append(above + name if indented else name)
        above = above if indented else name
    return paths


def test_the_annotated_tree_is_the_repository() -> None:
    [tree] = [block for block in blocks(README, "text") if "translearn/\n" in block]
    paths = tree_paths(tree)
    for path in paths:
        assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file(), path
    parts = [p for p in (ROOT / "translearn").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()]
    modules = {f"translearn/{p.name}{'/' * p.is_dir()}" for p in parts} - {"translearn/__init__.py"}
    assert {path for path in paths if path.startswith("translearn/")} - {"translearn/"} == modules
    assert {p.name for p in (ROOT / "docs").glob("*.md")} == {p[5:] for p in paths if p.startswith("docs/")} - {""}


def test_the_reading_order_names_modules() -> None:
    section = README.split("### Dive into the code")[1].split("\n## ")[0]
    names = re.findall(r"`([\w/]+\.py)`", section)
    assert len(names) > 8
    assert [name for name in names if not (ROOT / "translearn" / name).exists()] == []
