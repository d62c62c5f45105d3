"""How well a ranking did: sources are compared at equal epochs and equal numbers of trials."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translearn.storage.folder import Folder
from translearn.study.directory import CURVES, RANKING, RANKING_TABLE
from translearn.study.ranking.rank_card import expected_best, ranking_figures
from translearn.study.tables import CURVE_SCHEMA, RANKING_SCHEMA, table

ORDER = ["a", "b", "c"]


@settings(max_examples=40, deadline=None)
@given(errors=st.lists(st.floats(0, 1), min_size=1, max_size=7), data=st.data())
def test_the_expected_best_is_the_mean_over_all_choices(errors: list[float], data: st.DataObject) -> None:
    num = data.draw(st.integers(1, len(errors)))
    choices = [min(chosen) for chosen in itertools.combinations(errors, num)]
    assert expected_best(errors, num) == pytest.approx(np.mean(choices), abs=1e-12)


def study(path: Path, curves: dict[str, list[list[float]]], **static: Any) -> tuple[Folder, list[dict[str, Any]]]:
    """A study's folder, and its trials: for each source the validation errors by epoch of each of them."""
    folder = Folder.open(path)
    trials = [
        {"trial_id": f"{name}{index}", "source": name, "freeze_depth": index, "status": "stopped"}
        for name, found in curves.items()
        for index in range(len(found))
    ]
    rows = [
        {"stage": "search", "run": f"{name}{index}", "epoch": epoch, "val_error": error}
        for name, found in curves.items()
        for index, curve in enumerate(found)
        for epoch, error in enumerate(curve, 1)
    ]
    rows.append({"stage": "refit", "run": "a0", "epoch": 1, "val_error": 0.0})
    folder.write_table(CURVES, table(rows, CURVE_SCHEMA))
    facts = {"source_accuracy": None, "num_parameters": 1.0, "freeze_depth": 1, "is_dropped": False, **static}
    sources = [{"source": name, "mean_rank": 0.9 - 0.3 * place, **facts} for place, name in enumerate(ORDER)]
    for place, row in enumerate(sources):
        row |= {key: value[place] for key, value in facts.items() if isinstance(value, list)}
    folder.write_json(RANKING, {"order": ORDER, "scores": ["knn", "logme"], "sources": sources})
    scores = [
        {"source": name, "depth": depth, "score": score, "value": float(depth - place if depth == 5 else place)}
        for place, name in enumerate(ORDER)
        for score in ("knn", "logme", "linear_probe", "gbc")
        for depth in (1, 5)
    ]
    # Of a score that one source lacks nothing can be said.
    scores += [{"source": "a", "depth": 5, "score": "leep", "value": -1.0}]
    folder.write_table(RANKING_TABLE, table(scores, RANKING_SCHEMA))
    return folder, trials


def test_sources_are_compared_at_the_last_epoch_and_the_number_of_trials_that_all_have(tmp_path: Path) -> None:
    curves = {"a": [[0.5, 0.3, 0.1], [0.5, 0.2]], "b": [[0.6, 0.4]], "c": [[0.7, 0.6], [0.8], [0.9, 0.8]]}
    found = ranking_figures(*study(tmp_path, curves))
    assert found
    assert [(row["source"], row["epoch"], row["best_of"], row["num_trials"]) for row in found["errors"]] == [
        ("a", 2, 1, 2),
        ("b", 2, 1, 1),
        ("c", 2, 1, 2),
    ]
    assert [row["val_error"] for row in found["errors"]] == pytest.approx([0.25, 0.4, 0.7])
    card = {row["name"]: row for row in found["card"]["rows"]}
    claims = {name: row["claims"] for name, row in card.items()}
    assert claims == {"knn": True, "logme": True, "linear_probe": False, "mean_rank": True, "gbc": False}
    assert all(row["weighted_tau"]["value"] == pytest.approx(1) for row in card.values())
    assert found["card"]["sentence"] == "There is no static ranker to compare with, on 3 sources."


def test_static_rankers_count_where_they_are_known_of_all_and_differ(tmp_path: Path) -> None:
    curves = {"a": [[0.1]], "b": [[0.2]], "c": [[0.3]]}
    for number, (accuracy, there) in enumerate((([0.1, 0.5, 0.9], True), ([0.1, None, 0.9], False))):
        found = ranking_figures(*study(tmp_path / str(number), curves, source_accuracy=accuracy))
        assert found
        assert ("source_accuracy" in {row["name"] for row in found["card"]["rows"] if row["is_static"]}) is there
        assert ("source_accuracy" in found["card"]["sentence"]) is there


def test_dropped_and_failed_sources_are_left_out(tmp_path: Path) -> None:
    folder, trials = study(tmp_path, {"a": [[0.1]], "b": [[0.2]]})
    found = ranking_figures(folder, trials)
    assert found
    assert [row["source"] for row in found["errors"]] == ["a", "b"]
    for trial in trials[1:]:
        trial["status"] = "failed"
    alone = ranking_figures(folder, trials)
    assert alone
    assert alone["card"]["sentence"] == "With fewer than two sources nothing was ranked."


def test_what_was_recommended_and_never_tried_is_known(tmp_path: Path) -> None:
    folder, trials = study(tmp_path, {"a": [[0.1], [0.1]], "b": [[0.2]]}, is_dropped=[False, False, True])
    found = ranking_figures(folder, trials)
    assert found
    assert found["untried"] == [{"source": "b", "freeze_depth": 1}]


def test_a_study_without_a_ranking_has_no_figures_of_it(tmp_path: Path) -> None:
    assert ranking_figures(Folder.open(tmp_path), []) is None
