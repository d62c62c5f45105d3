"""The quality of the ranking, by the study's own trials."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.special import comb

from translearn.ranking.card import report_card
from translearn.ranking.scores import FEATURE_SCORES, PROBABILITY_SCORES
from translearn.storage.folder import Folder
from translearn.study.directory import CURVES, RANKING, RANKING_TABLE

_SCORES = (*FEATURE_SCORES, *PROBABILITY_SCORES)
_STATIC = ("source_accuracy", "num_parameters")


def ranking_figures(folder: Folder, trials: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the section ``ranking`` of evaluation.json; None where the study ranked nothing.

    Args:
        folder: The study's directory.
        trials: Rows of ``trials.parquet``.
    """
    if not folder.exists(RANKING):
        return None
    ranking, rows = folder.read_json(RANKING), folder.read_table(RANKING_TABLE).to_pylist()
    errors = _errors(folder, trials, ranking["order"])
    card = _card(ranking, rows, errors)
    return {**ranking, "stages": rows, "errors": errors, "card": card, "untried": untried(ranking, trials)}


def untried(ranking: dict[str, Any], trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row, ``source, freeze_depth``, for each source whose recommended freeze depth has no trial."""
    tried = {(row["source"], row["freeze_depth"]) for row in trials if row["status"] != "failed"}
    kept = [
        {key: row[key] for key in ("source", "freeze_depth")} for row in ranking["sources"] if not row["is_dropped"]
    ]
    return [row for row in kept if tuple(row.values()) not in tried]


def expected_best(errors: Sequence[float], num: int) -> float:
    """Return the mean, over all choices of ``num`` of these errors, of the lowest one chosen."""
    ascending = np.sort(errors)
    chances = comb(len(errors) - 1 - np.arange(len(errors)), num - 1) / comb(len(errors), num)
    return float(ascending @ chances)


def _errors(folder: Folder, trials: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    """Return a row a source: its best validation error at an epoch and of a number of trials that all have."""
    source_of = {row["trial_id"]: row["source"] for row in trials if row["status"] != "failed"}
    by_epoch: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in folder.read_table(CURVES).to_pylist():
        if row["stage"] == "search" and row["run"] in source_of:
            by_epoch[source_of[row["run"]]][row["epoch"]].append(row["val_error"])
    tried = [name for name in names if by_epoch[name]]
    if not tried:
        return []
    epoch = min(max(by_epoch[name]) for name in tried)
    num = min(len(by_epoch[name][epoch]) for name in tried)
    return [
        {
            "source": name,
            "val_error": expected_best(by_epoch[name][epoch], num),
            "epoch": epoch,
            "best_of": num,
            "num_trials": len(by_epoch[name][epoch]),
        }
        for name in tried
    ]


def _card(ranking: dict[str, Any], rows: list[dict[str, Any]], errors: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the scorer report card over the sources that have trials."""
    names = [row["source"] for row in errors]
    if len(names) < 2:
        return {"rows": [], "beats_static": None, "sentence": "With fewer than two sources nothing was ranked."}
    of_source = {row["source"]: row for row in ranking["sources"]}
    scores = {name: found for name in _SCORES if (found := _last(rows, name, names))}
    scores["mean_rank"] = [of_source[name]["mean_rank"] for name in names]
    known = {name: [of_source[source][name] for source in names] for name in _STATIC}
    static = {name: column for name, column in known.items() if None not in column and len(set(column)) > 1}
    claiming = (*ranking["scores"], "mean_rank")
    card = report_card(scores, static, [row["val_error"] for row in errors], claiming=claiming)
    return asdict(card)


def _last(rows: list[dict[str, Any]], score: str, names: list[str]) -> list[float]:
    """Return a score of each source at its last stage; empty where a source lacks it there."""
    last = {row["source"]: row["depth"] for row in sorted(rows, key=lambda row: row["depth"])}
    own = [row for row in rows if row["score"] == score and row["depth"] == last[row["source"]]]
    found = {row["source"]: row["value"] for row in own}
    return [found[name] for name in names] if all(name in found for name in names) else []
