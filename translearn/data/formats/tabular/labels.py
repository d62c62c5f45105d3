"""Columns of tables as people have them: labels, groups and ids as text, numbers or categories."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from translearn.data.formats.reader import distinct
from translearn.errors import DataError, fault

_WHOLE = r"^-?[0-9]+\.0+$"  # a whole number that pandas made a float, as text
_MAX_SHOWN = 5


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column holds text, as such or as categories."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_nameable(kind: pa.DataType) -> bool:
    """Return whether the values of a column can be names: text, numbers, booleans, or categories of these."""
    if pa.types.is_dictionary(kind):
        return is_nameable(kind.value_type)
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return bool(is_text(kind) or is_number or pa.types.is_null(kind))


def is_id(kind: pa.DataType) -> bool:
    """Return whether the values of a column can tell rows apart: text or integers."""
    return bool(is_text(kind) or pa.types.is_integer(kind))


def names_in(where: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the values of a column as text: stripped; null where there are none; whole numbers without a point.

    Raises:
        DataError: They are no names, or numbers that are not whole.
    """
    if not is_nameable(column.type):
        raise DataError(fault(where, "must be text, whole numbers or categories", column.type, "Write it as text."))
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = _whole(where, column)
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    texts = pc.if_else(pc.equal(texts, ""), None, texts)
    if pc.all(pc.match_substring_regex(texts, _WHOLE)).as_py():
        texts = pc.replace_substring_regex(texts, r"\.0+$", "")
    return texts


def labels_in(where: str, column: pa.ChunkedArray, classes: Sequence[str] = ()) -> pa.ChunkedArray:
    """Return the name of each row's class; null where it has none.

    Args:
        where: The column, for messages.
        column: Names, or whole numbers, of which those below 0 stand for no label.
        classes: The names that numbers stand for; none where each number is a name itself.

    Raises:
        DataError: As ``names_in``; a number has no name.
    """
    is_number = is_nameable(column.type) and not is_text(column.type) and not pa.types.is_boolean(column.type)
    texts = names_in(where, column)
    if not is_number:
        return texts
    numbers = pc.if_else(pc.starts_with(texts, "-"), None, texts)
    if not classes:
        return numbers
    places = pc.index_in(numbers, value_set=pa.array(map(str, range(len(classes))), pa.string()))
    outside = pc.unique(numbers.filter(pc.and_(pc.is_null(places), pc.is_valid(numbers)))).to_pylist()
    if outside:
        rule, shown = f"must be below {len(classes)}, the number of names", ", ".join(outside[:_MAX_SHOWN])
        raise DataError(fault(where, rule, shown, "Mend these labels, or the names in the metadata."))
    return pc.take(pa.array(classes, pa.string()), places)


def class_names(where: str, schema: pa.Schema) -> tuple[str, ...]:
    """Return the names of the classes in order, where Hugging Face's metadata has them for the column ``label``.

    Raises:
        DataError: The metadata is malformed.
    """
    try:
        node = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    except (ValueError, RecursionError):
        node = None
    for key in ("info", "features", "label"):
        node = node.get(key, {}) if isinstance(node, dict) else None
    names = (node.get("names") or []) if isinstance(node, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        rule, remedy = "must be a mapping with the names of the classes, or missing", "Delete or mend this metadata."
        raise DataError(fault(f"{where}: huggingface metadata", rule, "something else", remedy))
    return tuple(distinct(names))


def _whole(where: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return whole numbers that are stored as floats as integers; NaN is null."""
    column = pc.if_else(pc.is_nan(column), None, column.cast(pa.float64()))
    is_whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2.0**53))
    others = column.filter(pc.invert(is_whole))
    if len(others):
        shown = pc.unique(others).to_pylist()[:_MAX_SHOWN]
        rule, remedy = "must be whole numbers where they are numbers", "Write names that look like numbers as text."
        raise DataError(fault(where, rule, shown, remedy))
    return column.cast(pa.int64())
