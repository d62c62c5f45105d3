"""docs/study.md: every field of a study with its default and choices, every file and column, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel, PlainSerializer

from translearn import config as spec
from translearn.study import directory, tables

STUDY_PAGE = (Path(__file__).parents[2] / "docs/study.md").read_text()


def field_rows(page: str) -> dict[str, tuple[str, str]]:
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \| (.*) \|$", page, re.MULTILINE)
    return {path: (default, text) for path, default, text in rows}


def leaves(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and pydantic's field, for each field that holds no model itself."""
    for name, field in model.model_fields.items():
        inner = spec.check.model_in(field.annotation)
        if inner is None or field.default is None:  # a model that may be left out has a row of its own
            yield above + name, field
        if inner:
            yield from leaves(inner, f"{above}{name}.")


FIELDS = dict(leaves(spec.StudySpec))


def test_every_field_of_a_study_is_described_and_no_other() -> None:
    assert set(field_rows(STUDY_PAGE)) == set(FIELDS)


@pytest.mark.parametrize("path", FIELDS)
def test_a_described_default_is_the_default(path: str) -> None:
    described, field = field_rows(STUDY_PAGE)[path][0], FIELDS[path]
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    default = next((one.func(default) for one in field.metadata if isinstance(one, PlainSerializer)), default)
    assert described == "required" if field.is_required() else yaml.safe_load(described.strip("`")) == default


def choices_of(annotation: Any) -> set[str]:
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    return {choice for inner in get_args(annotation) for choice in choices_of(inner)}


@pytest.mark.parametrize("path", [path for path, field in FIELDS.items() if choices_of(field.annotation)])
def test_every_choice_of_a_field_is_described(path: str) -> None:
    assert choices_of(FIELDS[path].annotation) <= set(re.findall(r"`(\w+)`", field_rows(STUDY_PAGE)[path][1]))


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        (directory.SOURCES, tables.SOURCE_SCHEMA),
        (directory.COSTS, tables.COST_SCHEMA),
        (directory.RANKING_TABLE, tables.RANKING_SCHEMA),
        (directory.TRIALS, tables.TRIAL_SCHEMA),
        (directory.CURVES, tables.CURVE_SCHEMA),
        (directory.MISTAKES, tables.MISTAKE_SCHEMA),
    ],
)
def test_every_column_of_a_table_is_described_and_no_other(name: str, schema: Any) -> None:
    section = STUDY_PAGE.split(f"### {name}")[1].split("\n### ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    assert sorted(column for cell in cells for column in re.findall(r"`(\w+)`", cell)) == sorted(schema.names)


def test_every_file_that_a_study_leaves_is_described() -> None:
    section = STUDY_PAGE.split("## What a study leaves")[1].split("\n### ")[0]
    named = set(re.findall(r"`([\w.-]+)/?", section))
    constants = {
        value
        for name, value in vars(directory).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("_")
    }
    assert constants <= named
