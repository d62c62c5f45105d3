"""The model of these tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from deploy_cases import made_model


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory in a study's."""
    return made_model(tmp_path_factory.mktemp("study") / "model")
