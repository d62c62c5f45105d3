"""Which trackers a study file may name."""

from __future__ import annotations

from typing import Any

import pytest

from translearn.config import StudySpec, parse_spec
from translearn.errors import SpecError


def parsed(**cluster: Any) -> StudySpec:
    source = {"name": "a", "arch": "resnet18", "weights": "DEFAULT"}
    return parse_spec({"name": "pets", "target": {"data": "data/pets"}, "sources": [source], "cluster": cluster})


def test_a_study_has_no_trackers_unless_it_names_them() -> None:
    assert parsed().cluster.trackers == parsed(trackers={"mlflow": None, "wandb": None}).cluster.trackers


def test_an_empty_wandb_is_one_with_all_defaults() -> None:
    found = parsed(trackers={"wandb": {}}).cluster.trackers.wandb
    assert found is not None
    assert (found.project, found.entity, found.mode) == (None, None, None)


@pytest.mark.parametrize(
    ("cluster", "line"),
    [
        (
            {"mlflow": "http://127.0.0.1:5000"},
            "cluster.mlflow: is not a known key any more. Use cluster.trackers.mlflow.tracking_uri.",
        ),
        (
            {"trackers": {"mlflow": {}}},
            "cluster.trackers.mlflow.tracking_uri: is required, but is missing. Add it; see workflows/configs for an "
            "example.",
        ),
        (
            {"trackers": {"wandb": {"mode": "ofline"}}},
            "cluster.trackers.wandb.mode: must be 'online' or 'offline', but got 'ofline'. Did you mean 'offline'?",
        ),
        (
            {"trackers": {"wandb": {"api_key": "x"}}},
            "cluster.trackers.wandb.api_key: is not a known key. Known here: entity, mode, project.",
        ),
        ({"trackers": {"comet": {}}}, "cluster.trackers.comet: is not a known key. Known here: mlflow, wandb."),
    ],
)
def test_a_bad_tracker_is_a_fault(cluster: dict[str, Any], line: str) -> None:
    with pytest.raises(SpecError) as caught:
        parsed(**cluster)
    assert str(caught.value) == line
