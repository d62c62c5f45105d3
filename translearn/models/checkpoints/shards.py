"""The index of weights in several files, as Hugging Face's libraries write it: ``model.safetensors.index.json``."""

from __future__ import annotations

import json

from translearn.errors import WeightsError, fault

#: The ending of an index.
INDEX = ".index.json"

_MOST_BYTES = 50_000_000
_REMEDY = "Copy or download all files again, into one folder."


def read_index(content: bytes, where: str) -> dict[str, str]:
    """Return the file of each tensor, by the tensor's name.

    Args:
        content: The index: JSON with ``weight_map``, tensor to file.
        where: Its name in errors.

    Raises:
        WeightsError: It is no index, or names files elsewhere.
    """
    try:
        names = dict(json.loads(content)["weight_map"]) if len(content) <= _MOST_BYTES else {}
        files = set(names.values())
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise _no_index(where, type(error).__name__) from error
    if not files or not all(isinstance(file, str) for file in files):
        raise _no_index(where, "no files by tensor")
    elsewhere = sorted(file for file in files if not _is_plain(file))
    if elsewhere:
        raise WeightsError(fault(where, "must name files in its own folder", repr(elsewhere[0][:100]), _REMEDY))
    return names


def _is_plain(file: str) -> bool:
    return file.endswith((".safetensors", ".bin", ".pth", ".pt")) and not set(file) & set("/\\:?#%\0")


def _no_index(where: str, got: str) -> WeightsError:
    return WeightsError(fault(where, "must be an index of weights in several files", got, _REMEDY))
