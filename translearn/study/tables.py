"""The tables of a study: of its costs, its sources, its trials, its curves and its worst mistakes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

_text, _int, _float = pa.string(), pa.int64(), pa.float64()

COST_SCHEMA = pa.schema(
    [
        ("arch", _text),
        ("num_parameters", _int),
        ("mb", _float),
        ("cpu", _text),
        ("cpu_latency_ms", _float),
        ("cpu_images_per_s", _float),
        ("gpu", _text),
        ("gpu_latency_ms", _float),
        ("gpu_images_per_s", _float),
    ]
)
SOURCE_SCHEMA = pa.schema(
    [
        ("name", _text),
        ("arch", _text),
        ("kind", _text),
        ("num_classes", _int),
        ("source_error", _float),
        ("fingerprint", _text),
        ("seconds", _float),
    ]
)
SOURCE_WITH_COST_SCHEMA = pa.unify_schemas([SOURCE_SCHEMA, COST_SCHEMA])
RANKING_SCHEMA = pa.schema(
    [
        ("source", _text),
        ("depth", _int),
        ("score", _text),
        ("value", _float),
        ("low", _float),
        ("high", _float),
        ("seconds", _float),
        ("num_examples", _int),
    ]
)
TRIAL_SCHEMA = pa.schema(
    [
        ("trial_id", _text),
        ("source", _text),
        ("arch", _text),
        ("freeze_depth", _int),
        ("lr", _float),
        ("weight_decay", _float),
        ("status", _text),
        ("reason", _text),
        ("epochs", _int),
        ("val_error", _float),
        ("val_loss", _float),
        ("train_loss", _float),
        ("seconds", _float),
        ("started_at", _float),
        ("ended_at", _float),
        ("threads", _int),
        ("precision", _text),
        ("num_trained_parameters", _int),
        ("weights", _text),
    ]
)
CURVE_SCHEMA = pa.schema(
    [
        ("stage", _text),
        ("run", _text),
        ("epoch", _int),
        ("train_loss", _float),
        ("val_loss", _float),
        ("val_error", _float),
        ("lr", _float),
        ("seconds", _float),
        ("images_per_s", _float),
    ]
)
MISTAKE_SCHEMA = pa.schema(
    [
        ("id", _text),
        ("class", _text),
        ("predicted", _text),
        ("confidence", _float),
        ("loss", _float),
        ("image", pa.binary()),
    ]
)


def table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table; what a row lacks is null, what the schema lacks is left out."""
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)


def ranked_trials(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the trials that did not fail, best first: by how far they came, then by validation error, then by loss.

    So those that were stopped early, whose errors are of another epoch, follow those that ran their full length.
    """
    kept = [row for row in trials if row["status"] != "failed"]
    return sorted(kept, key=lambda row: (-row["epochs"], row["val_error"], row["val_loss"], row["trial_id"]))
