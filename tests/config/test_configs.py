"""Every study file that is shipped is a valid one."""

from __future__ import annotations

from pathlib import Path

import pytest

from translearn.config import load_spec

CONFIGS = sorted((Path(__file__).parents[2] / "workflows/configs").glob("*.yaml"))


def test_there_are_study_files() -> None:
    assert "demo.yaml" in [path.name for path in CONFIGS]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_study_file_loads(path: Path) -> None:
    assert load_spec(path).sources
