"""Loading of a study from a YAML file and overrides."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from translearn.config.check import parse_spec
from translearn.config.paths import with_absolute_paths
from translearn.config.study import StudySpec
from translearn.errors import SpecError, fault, raise_faults


def load_spec(path: str | Path, overrides: list[str] | tuple[str, ...] = (), *, as_written: bool = False) -> StudySpec:
    """Return the study in a YAML file, with ``a.b=c`` overrides applied.

    Relative paths in the file begin at its folder, so that they mean the same wherever the command runs; those of
    overrides begin where it runs, as others on a command line.

    Args:
        path: The study file.
        overrides: Dotted paths and YAML values, for example ``search.trials=8``.
        as_written: True to leave relative paths as they are.

    Raises:
        SpecError: Holds every fault, a line each: dotted path, rule, value, remedy.
    """
    tree = _read_yaml(Path(path))
    if not as_written:
        storage = {"storage": StudySpec.model_fields["storage"].default}
        tree = with_absolute_paths({**storage, **tree}, Path(path).parent.absolute())
    raise_faults([line for override in overrides for line in _apply(tree, override)], SpecError)
    return parse_spec(tree if as_written else with_absolute_paths(tree, Path.cwd()))


class _Loader(yaml.SafeLoader):
    """Loader of plain data only: refuses repeated keys, reads dates and ``off`` as text, and ``1e-5`` as a number."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    for key in keys:
        if keys.count(key) > 1:
            raise SpecError(f"line {node.start_mark.line + 1}: the key {key!r} stands twice. Keep one of them.")
    loader.flatten_mapping(node)
    return {str(key): value for key, value in loader.construct_pairs(node, deep=True)}


def _text(_: _Loader, node: yaml.ScalarNode) -> str:
    return str(node.value)


def _bool(_: _Loader, node: yaml.ScalarNode) -> bool | str:
    """Read a boolean as YAML 1.2 does: ``on``, ``off``, ``yes`` and ``no`` are words."""
    return {"true": True, "false": False}.get(node.value.lower(), str(node.value))


def _refuse(loader: _Loader, node: yaml.Node) -> None:
    loader.construct_undefined(node)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_Loader.add_constructor("tag:yaml.org,2002:bool", _bool)
for _tag in ("binary", "omap", "pairs", "set"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _refuse)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)
# SafeLoader's constructors raise ValueError for some texts that look like a number.
_NOT_YAML = (yaml.YAMLError, ValueError, RecursionError)
_MOST_BYTES, _MOST_VALUES = 1_000_000, 10_000


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = _plain_tree(_text_of(path))
    except OSError as error:
        raise SpecError(f"{path}: cannot be read ({error.strerror}). Give the path of a study file.") from None
    except _NOT_YAML as error:
        raise SpecError(f"{path}: is not plain YAML ({error}). Mend it, or start from workflows/configs.") from None
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None
    if not isinstance(tree, dict):
        raise SpecError(fault(str(path), "must hold keys and values", type(tree).__name__, "See workflows/configs."))
    return tree


def _text_of(path: Path) -> str:
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise SpecError(f"has {size:,} bytes, more than {_MOST_BYTES:,}. Give the path of a study file.")
    return path.read_text(encoding="utf-8")


def _plain_tree(text: str) -> Any:
    """Return the data in YAML, after counting it: aliases of aliases can make it grow without end."""
    tree = yaml.load(text, _Loader)
    left, num = [tree], 0
    while left and num <= _MOST_VALUES:
        node, num = left.pop(), num + 1
        left += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if num > _MOST_VALUES:
        raise SpecError(f"holds more than {_MOST_VALUES:,} values (an alias counts each time). Write them out.")
    return tree


def _apply(tree: dict[str, Any], override: str) -> list[str]:
    """Set one value in the tree; return the faults of the override."""
    path, equals, text = override.partition("=")
    if not equals or not path.strip():
        return [fault("--set", "must have the form path=value", repr(override), "For example search.trials=8.")]
    try:
        value = _plain_tree(text)
    except (*_NOT_YAML, SpecError) as error:
        return [f"--set {override}: the value is not YAML ({error}). Quote it."]
    *parents, last = path.strip().split(".")
    node: Any = tree
    for parent in parents:
        node = _child(node, parent)
    if isinstance(node, list) and _is_index(node, last):
        node[int(last)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        return [f"--set {override}: {'.'.join(parents)} has no item {last!r}. See the study file."]
    return []


def _child(node: Any, key: str) -> Any:
    """Return the value under a key, a new mapping where it is missing; None where there can be none."""
    if isinstance(node, list):
        return node[int(key)] if _is_index(node, key) else None
    if isinstance(node, dict) and node.get(key) is None:
        node[key] = {}
    return node[key] if isinstance(node, dict) else None


def _is_index(node: list[Any], key: str) -> bool:
    return key.isdecimal() and int(key) < len(node)
