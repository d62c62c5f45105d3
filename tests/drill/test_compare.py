"""Two runs are equal when all but times is, and each difference is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from translearn.drill.compare import differences
from translearn.study.tables import CURVE_SCHEMA, MISTAKE_SCHEMA, SOURCE_SCHEMA, TRIAL_SCHEMA

TABLES = {
    "trials.parquet": TRIAL_SCHEMA,
    "curves.parquet": CURVE_SCHEMA,
    "sources.parquet": SOURCE_SCHEMA,
    "mistakes.parquet": MISTAKE_SCHEMA,
}
MODEL = "model/model.safetensors"
EVALUATION = {
    "summary": ["Target error: 10 %."],
    "target": {"error": 0.1},
    "test_reads": 1,
    "rows": [{"val_error": 0.2, "time_s": 3.0, "seconds": 1.0}],
}


def value(kind: pa.DataType, number: int) -> Any:
    plain = {pa.bool_(): number % 2 == 0, pa.string(): str(number), pa.binary(): bytes([number])}
    return pa.scalar(plain.get(kind, number), kind)


def make(folder: Path) -> Path:
    (folder / "model").mkdir(parents=True)
    for name, schema in TABLES.items():
        columns = {field.name: pa.array([value(field.type, n).as_py() for n in (1, 2)], field.type) for field in schema}
        pq.write_table(pa.table(columns), folder / name)
    (folder / "evaluation.json").write_text(json.dumps(EVALUATION))
    (folder / "model" / "model.safetensors").write_bytes(b"tensors")
    (folder / "model" / "model.json").write_text("{}")
    (folder / "report.html").write_text("a report")
    return folder


def change(folder: Path, name: str, column: str) -> None:
    table = pq.read_table(folder / name)
    kind = table.schema.field(column).type
    place = table.column_names.index(column)
    pq.write_table(
        table.set_column(place, column, pa.array([value(kind, n).as_py() for n in (1, 5)], kind)), folder / name
    )


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return make(tmp_path / "one"), make(tmp_path / "other")


def test_the_same_is_equal(pair: tuple[Path, Path]) -> None:
    assert differences(*pair) == []


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("trials.parquet", "started_at"),
        ("trials.parquet", "fused"),
        ("curves.parquet", "images_per_s"),
        ("sources.parquet", "seconds"),
    ],
)
def test_times_may_differ(pair: tuple[Path, Path], name: str, column: str) -> None:
    change(pair[1], name, column)
    assert differences(*pair) == []


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("trials.parquet", "val_error"),
        ("trials.parquet", "weights"),
        ("trials.parquet", "reason"),
        ("trials.parquet", "replayed"),
        ("curves.parquet", "train_loss"),
        ("sources.parquet", "fingerprint"),
        ("mistakes.parquet", "predicted"),
    ],
)
def test_nothing_else_may(pair: tuple[Path, Path], name: str, column: str) -> None:
    change(pair[1], name, column)
    assert differences(*pair) == [f"{name}: {column}"]


def edit(change_it: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        found = json.loads((folder / "evaluation.json").read_text())
        change_it(found)
        (folder / "evaluation.json").write_text(json.dumps(found))

    return act


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (edit(lambda found: found.update(test_reads=2)), []),
        (edit(lambda found: found["summary"].insert(0, "Warning: test was read 2 times (...).")), []),
        (edit(lambda found: found["summary"].append("Transfer helped.")), ["evaluation.json: summary.1"]),
        (edit(lambda found: found["rows"][0].update(time_s=9.0, seconds=9.0)), []),
        (edit(lambda found: found["rows"][0].update(val_error=0.3)), ["evaluation.json: rows.0.val_error"]),
        (edit(lambda found: found.pop("target")), ["evaluation.json: target.error"]),
        (
            lambda folder: (folder / "model" / "model.safetensors").write_bytes(b"others"),
            ["model/model.safetensors: other content"],
        ),
        (lambda folder: (folder / "model" / "model.json").write_text("[]"), ["model/model.json: other content"]),
        (lambda folder: (folder / "report.html").write_text("made at another time"), []),
    ],
)
def test_figures_and_weights(pair: tuple[Path, Path], act: Callable[[Path], None], told: list[str]) -> None:
    act(pair[1])
    assert differences(*pair) == told


def test_a_row_less_is_a_difference(pair: tuple[Path, Path]) -> None:
    table = pq.read_table(pair[1] / "trials.parquet")
    pq.write_table(table.slice(0, 1), pair[1] / "trials.parquet")
    assert differences(*pair)[0].startswith("trials.parquet: ")


@pytest.mark.parametrize("name", ["report.html", "model/model.json", "model/model.safetensors", "trials.parquet"])
def test_what_is_not_there_is_a_difference(pair: tuple[Path, Path], name: str) -> None:
    (pair[1] / name).unlink()
    assert differences(*pair) == [f"{name}: is missing"]
