"""Rules between values of a study file, checked on plain data, so that they do not depend on valid values."""

from __future__ import annotations

from typing import Any

from translearn.config.study import RefitSpec
from translearn.errors import fault

_ORIGINS = ("weights", "checkpoint", "pretrain")
_ONE_VALUE_SIZE = 32  # pixels: the last stage's map then is one value


def faults_between_values(tree: dict[str, Any]) -> list[str]:
    """Return a line for each broken rule between values; ignore values of the wrong type."""
    listed = tree.get("sources")
    sources = {
        index: source
        for index, source in enumerate(listed if isinstance(listed, list) else [])
        if isinstance(source, dict)
    }
    origins = [line for index, source in sources.items() for line in _origin_faults(index, source)]
    origins += [line for index, source in sources.items() for line in _checkpoint_faults(index, source)]
    names, archs = (_texts(sources, key) for key in ("name", "arch"))
    search, candidates = _section(tree, "search"), _section(tree, "refit").get("candidates")
    return (
        origins
        + _name_faults(names)
        + _trial_faults(archs, search, candidates)
        + _gpu_faults(tree)
        + _batch_faults(tree, sources)
    )


def _section(tree: dict[str, Any], key: str) -> dict[str, Any]:
    section = tree.get(key)
    return section if isinstance(section, dict) else {}


def _texts(sources: dict[int, dict[str, Any]], key: str) -> list[str]:
    return [source[key] for source in sources.values() if isinstance(source.get(key), str)]


def _origin_faults(index: int, source: dict[str, Any]) -> list[str]:
    given = [key for key in _ORIGINS if source.get(key) is not None]
    if given == ["pretrain"] and source.get("data") is not None:
        rule = "must be left out of a source that is pre-trained here"
        return [fault(f"sources.{index}.data", rule, repr(source["data"]), "pretrain.data says it.")]
    if len(given) == 1:
        return []
    rule = f"must have exactly one of {', '.join(_ORIGINS[:-1])} and {_ORIGINS[-1]}"
    got = " and ".join(given) or "none of them"
    return [fault(f"sources.{index}", rule, got, "Scratch needs no entry: it is always added.")]


def _checkpoint_faults(index: int, source: dict[str, Any]) -> list[str]:
    """Return a line for each field that is of checkpoints only, in a source of another origin."""
    given = [
        key for key in ("prefix", "preprocessing") if source.get(key) is not None and source.get("checkpoint") is None
    ]
    rule, remedy = "must be left out of a source without a checkpoint", "It tells how a checkpoint is read."
    return [fault(f"sources.{index}.{key}", rule, repr(source[key]), remedy) for key in given]


def _name_faults(names: list[str]) -> list[str]:
    return [
        fault("sources", "must have different names", f"{name!r} {names.count(name)} times", "Rename all but one.")
        for name in sorted(set(names))
        if names.count(name) > 1
    ]


def _trial_faults(archs: list[str], search: dict[str, Any], candidates: object) -> list[str]:
    most = candidates if isinstance(candidates, int) and candidates > 0 else RefitSpec().candidates
    least, trials = len(archs) + min(most, len(set(archs))), search.get("trials")
    if not isinstance(trials, int) or isinstance(trials, bool) or not 1 <= trials < least:
        return []
    rule = (
        f"must be at least {least}, one for each source and one for scratch of each architecture, of as many as "
        f"refit.candidates ({most}) at most"
    )
    return [fault("search.trials", rule, trials, f"Use {least} or more.")]


def _gpu_faults(tree: dict[str, Any]) -> list[str]:
    cluster = _section(tree, "cluster")
    gpus, workers = cluster.get("gpus_per_worker"), cluster.get("workers_per_trial")
    if not (isinstance(gpus, float) and 0 < gpus < 1 and isinstance(workers, int) and workers > 1):
        return []
    rule = "must be a whole number where workers_per_trial is more than 1"
    return [fault("cluster.gpus_per_worker", rule, gpus, "Workers of one trial can not share a GPU.")]


def _batch_faults(tree: dict[str, Any], sources: dict[int, dict[str, Any]]) -> list[str]:
    size = _section(tree, "target").get("image_size")
    sections = {f"sources.{index}.pretrain": _section(source, "pretrain") for index, source in sources.items()}
    rule = f"must be at least 2 where target.image_size is at most {_ONE_VALUE_SIZE}"
    return [
        fault(f"{path}.batch_size", rule, 1, "Use 2 or more: BatchNorm has no variance over one value.")
        for path, section in {**sections, "train": _section(tree, "train")}.items()
        if isinstance(size, int) and size <= _ONE_VALUE_SIZE and section.get("batch_size") == 1
    ]
