"""A study's tables: what a row may lack, and which trial is the best."""

from __future__ import annotations

from typing import Any

import pytest

from translearn.study.tables import CURVE_SCHEMA, SOURCE_SCHEMA, TRIAL_SCHEMA, best_trial, table


@pytest.mark.parametrize("schema", [SOURCE_SCHEMA, TRIAL_SCHEMA, CURVE_SCHEMA])
def test_a_table_has_its_schema_whatever_its_rows_have(schema) -> None:
    name = schema.names[0]
    found = table([{name: "a", "unknown": object()}, {}], schema)
    assert found.schema.equals(schema)
    assert found.to_pylist() == [dict.fromkeys(schema.names) | {name: "a"}, dict.fromkeys(schema.names)]
    assert table([], schema).schema.equals(schema)


def trial(
    trial_id: str, error: float | None, loss: float = 1.0, status: str = "done", source: str = "a"
) -> dict[str, Any]:
    return {"trial_id": trial_id, "source": source, "status": status, "val_error": error, "val_loss": loss}


@pytest.mark.parametrize(
    ("trials", "best"),
    [
        ([trial("1", 0.2), trial("2", 0.1)], "2"),
        ([trial("1", 0.1, 0.9), trial("2", 0.1, 0.8)], "2"),
        ([trial("2", 0.1), trial("1", 0.1)], "1"),
        ([trial("1", 0.2), trial("2", 0.1, status="stopped")], "1"),
        ([trial("1", 0.3, status="stopped"), trial("2", 0.2, status="stopped")], "2"),
        ([trial("1", None, status="failed"), trial("2", 0.9, status="stopped")], "2"),
        ([trial("1", 0.2), trial("2", 0.1, source="b")], "1"),
        ([trial("1", None, status="failed")], None),
        ([], None),
    ],
    ids=["error", "loss", "id", "finished", "stopped", "failed", "source", "all failed", "none"],
)
def test_the_best_trial(trials: list[dict[str, Any]], best: str | None) -> None:
    found = best_trial(trials, {"a"})
    assert (found["trial_id"] if found else None) == best
