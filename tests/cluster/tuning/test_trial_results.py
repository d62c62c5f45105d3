"""The trials of a search, read from what Tune keeps of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
from ray import tune

from translearn.cluster.tuning.results import trial_results
from translearn.cluster.tuning.space import search_space
from translearn.config import parse_spec
from translearn.models.sources import Source

SOURCES = {"a": Source("a", "resnet18", "weights")}
STUDY = {"name": "pets", "target": {"data": "x"}, "sources": [{"name": "a", "arch": "resnet18", "weights": "DEFAULT"}]}
SPACE = search_space(parse_spec(STUDY), SOURCES)
CONFIG = {"source": "a", "arch": "resnet18", "freeze_depth": 2, "lr": 0.01, "weight_decay": 0.0}


def result(name: str, config: dict[str, Any] | None, *rows: dict[str, Any]) -> Any:
    frame = pd.DataFrame(rows) if rows else None
    return SimpleNamespace(path=f"/search/{name}", config=config, metrics_dataframe=frame, error=None)


def test_a_trial_that_still_waited_when_the_search_ended_is_none() -> None:
    begun = result("a-d2", CONFIG, {"epoch": 1, "val_error": 0.5}, {"epoch": 2, "val_error": 0.4})
    failed, waited, unheard = result("b", CONFIG), result("c", None), result("d", {})
    grid = cast(tune.ResultGrid, [begun, failed, waited, unheard])
    first, second = trial_results(grid, SPACE, {"b": "OSError: disk full"})
    assert (first.run, first.config, [row["epoch"] for row in first.curve]) == ("a-d2", CONFIG, [1, 2])
    assert (second.run, second.curve, second.reason) == ("b", [], "OSError: disk full")
