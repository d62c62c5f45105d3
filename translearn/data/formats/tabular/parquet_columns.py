"""Columns of Parquet files that hold images: what must be there, and what rows are called."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from translearn.data.formats.reader import did_you_mean
from translearn.data.formats.tabular.labels import is_nameable, is_text
from translearn.errors import fault


def column_faults(where: str, schema: pa.Schema, labelled: bool) -> list[str]:
    """Return a line for each column that is missing or of a type that cannot be read."""
    faults = [
        fault(where, f"must have a column {column!r}", schema.names, did_you_mean(column, schema.names))
        for column in (("image", "label") if labelled else ("image",))
        if column not in schema.names
    ]
    if faults:
        return faults
    remedy = "Call a column of paths path, and name the file itself." if is_text(schema.field("image").type) else ""
    if not _holds_bytes(kind := schema.field("image").type):
        faults.append(fault(f"{where}: image", "must be a struct with bytes, or binary", kind, remedy))
    if labelled and not is_nameable(kind := schema.field("label").type):
        rule = "must be text, whole numbers or categories"
        faults.append(fault(f"{where}: label", rule, kind, "Write it as text."))
    return faults


def are_ids(ids: pa.ChunkedArray, prefixes: pa.Array) -> bool:
    """Return whether each row has an id of its own within its split."""
    found = pa.table({"split": prefixes, "id": ids})
    return not ids.null_count and found.group_by(["split", "id"]).aggregate([]).num_rows == len(ids)


def numbered(prefixes: pa.Array) -> pa.Array:
    """Return ids ``<split>/<row>``, the rows counted from 0 within a split."""
    counts: Counter[str] = Counter()
    ids = []
    for split in prefixes.to_pylist():
        ids.append(f"{split}/{counts[split]}")
        counts[split] += 1
    return pa.array(ids, pa.string())


def has_images(schema: pa.Schema) -> bool:
    """Return whether a Parquet file holds the bytes of images."""
    return "image" in schema.names and _holds_bytes(schema.field("image").type)


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
