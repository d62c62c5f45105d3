"""A study's tables: what a row may lack, and in which order trials are best."""

from __future__ import annotations

from typing import Any

import pytest

from translearn.study.tables import CURVE_SCHEMA, SOURCE_SCHEMA, TRIAL_SCHEMA, ranked_trials, table


@pytest.mark.parametrize("schema", [SOURCE_SCHEMA, TRIAL_SCHEMA, CURVE_SCHEMA])
def test_a_table_has_its_schema_whatever_its_rows_have(schema) -> None:
    name = schema.names[0]
    found = table([{name: "a", "unknown": object()}, {}], schema)
    assert found.schema.equals(schema)
    assert found.to_pylist() == [dict.fromkeys(schema.names) | {name: "a"}, dict.fromkeys(schema.names)]
    assert table([], schema).schema.equals(schema)


def trial(
    trial_id: str, error: float | None, loss: float = 1.0, status: str = "done", epochs: int = 9
) -> dict[str, Any]:
    return {"trial_id": trial_id, "status": status, "val_error": error, "val_loss": loss, "epochs": epochs}


@pytest.mark.parametrize(
    ("trials", "order"),
    [
        ([trial("1", 0.2), trial("2", 0.1)], "21"),
        ([trial("1", 0.1, 0.9), trial("2", 0.1, 0.8)], "21"),
        ([trial("2", 0.1), trial("1", 0.1)], "12"),
        ([trial("1", 0.2), trial("2", 0.1, status="stopped", epochs=3)], "12"),
        ([trial("1", 0.2, status="stopped", epochs=1), trial("2", 0.3, status="stopped", epochs=3)], "21"),
        ([trial("1", None, status="failed"), trial("2", 0.9, status="stopped", epochs=3)], "2"),
        ([trial("1", None, status="failed")], ""),
        ([], ""),
    ],
    ids=["error", "loss", "id", "finished", "stopped", "failed", "all failed", "none"],
)
def test_the_order_of_trials(trials: list[dict[str, Any]], order: str) -> None:
    assert "".join(row["trial_id"] for row in ranked_trials(trials)) == order
