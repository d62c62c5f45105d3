"""What past studies suggest: whose configurations, on which source, how many, and that the choice is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from history_cases import TARGET, Splits, row, sources, study

from translearn.ranking.prior import NOTHING, Past, TrialConfig
from translearn.storage.folder import Folder
from translearn.study.ranking.history import HISTORY, HISTORY_SCHEMA
from translearn.study.ranking.warm_start import suggestions, taught, warm_start
from translearn.study.tables import table


def configs(past: list[dict[str, Any]], **search: Any) -> list[TrialConfig]:
    return list(learnt(past, **search).configs)


def learnt(past: list[dict[str, Any]], **search: Any) -> Past:
    return taught(suggestions(study(**search), sources(), TARGET, {}, past))


def test_the_best_of_each_study_in_turn_the_nearest_first() -> None:
    past = [
        row("far", lr=0.001, error=0.01, images_per_class=90.0),
        row("near", lr=0.002, error=0.3),
        row("near", lr=0.004, error=0.2),
    ]
    found = suggestions(study(trials=36), sources(), TARGET, {}, past)
    assert [(one.from_study, one.config.lr) for one in found] == [("near", 0.004), ("far", 0.001), ("near", 0.002)]
    assert [one.from_error for one in found] == [0.2, 0.01, 0.3]
    assert found[0].distance == 0 < found[1].distance
    assert found[0].from_trial == "near a 0.2"


def test_one_for_twelve_trials_at_most_and_scratch_besides() -> None:
    past = [row(lr=0.0001 * 2**place, error=place / 10) for place in range(6)]
    past += [row(source="scratch", lr=lr, error=lr) for lr in (0.05, 0.01)]
    assert [(config.source, config.lr) for config in configs(past, trials=36)] == [
        ("scratch", 0.01),
        *(("a", 0.0001 * 2**place) for place in range(3)),
    ]
    assert [len(configs(past, trials=trials)) for trials in (3, 23, 24, 600)] == [2, 2, 3, 7]


def test_the_median_of_the_best_rates_of_the_five_nearest_studies_is_learnt() -> None:
    rates = [0.002, 0.001, 0.03, 0.016, 0.008, 0.09, 0.09]
    past = [row(str(place), lr=lr, images_per_class=20.0 + place) for place, lr in enumerate(rates)]
    found = learnt([*past, row("6", lr=0.09, error=0.2)])
    assert found.lr == 0.008
    assert [config.lr for config in found.configs] == [0.002]
    assert learnt(past[:2]).lr == 0.001  # the lower of two
    assert learnt([]) == NOTHING


def test_scratch_learns_the_rates_of_the_nearest_studies_whatever_its_place_in_them() -> None:
    rates = [0.002, 0.001, 0.03, 0.016, 0.008, 0.09, 0.09]
    past = []
    for place, lr in enumerate(rates):  # of the nearest study seven trials are better than scratch, of the farthest one
        common = {"images_per_class": 20.0 + place}
        past += [row(str(place), error=better / 100, **common) for better in range(7 - place)]
        past += [row(str(place), source="scratch", error=0.5, lr=lr, **common)]
    found = learnt(past)
    assert found.scratch_lr == 0.008
    assert [config.lr for config in found.configs if config.source == "scratch"] == [0.002]


def test_the_rates_of_linear_probes_are_not_those_of_whole_networks() -> None:
    past = [row(lr=0.09, freeze_depth=5), row(lr=0.01, error=0.2)]
    assert learnt(past).lr == 0.01
    assert [(config.freeze_depth, config.lr) for config in learnt(past).configs] == [(5, 0.09)]
    assert learnt(past[:1]).lr is None


def test_the_same_weights_stand_for_themselves_and_others_for_the_first_source_of_their_architecture() -> None:
    past = [row(source="b"), row(source="c", lr=0.05, error=0.2), row(source="d", arch="resnet50", error=0.3)]
    assert [config.source for config in configs(past, trials=24)] == ["b", "a"]


def test_what_lies_outside_of_the_space_is_left_out() -> None:
    past = [row(lr=0.5), row(freeze_depth=3), row(lr=0.01, error=0.2)]
    assert [config.lr for config in configs(past, freeze_depth=[0, 2])] == [0.01]


def test_trials_that_were_stopped_or_of_another_optimizer_teach_nothing() -> None:
    assert configs([row(status="stopped"), row("other", optimizer="adamw")]) == []


def test_nearly_the_same_rate_comes_once() -> None:
    past = [row(lr=0.02), row(lr=0.029, error=0.2), row(lr=0.031, error=0.3)]
    assert [config.lr for config in configs(past, trials=24)] == [0.02, 0.031]


def test_the_nearest_weight_decay_of_the_list_is_taken() -> None:
    past = [row(weight_decay=4e-4)]
    assert [config.weight_decay for config in configs(past, weight_decay=[0.0, 5e-4])] == [5e-4]
    assert [config.weight_decay for config in configs(past)] == [1e-4]


def test_a_study_does_not_learn_from_itself() -> None:
    assert configs([row("new")]) == []


def stored(store: Path, past: list[dict[str, Any]]) -> None:
    folder = Folder.open(store) / HISTORY
    folder.write_table(f"{past[0]['study']}.parquet", table(past, HISTORY_SCHEMA))


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_what_was_suggested_once_holds_whatever_the_store_has_later(tmp_path: Path, is_elsewhere: bool) -> None:
    store, folder = tmp_path / "runs", Folder.open(tmp_path / "runs" / "new")
    where = str(store) if is_elsewhere else "auto"
    root = {"storage": str(tmp_path / "other" if is_elsewhere else store)}
    spec = study(warm_start=where).model_copy(update=root)
    stored(store, [row(lr=0.02)])
    first = warm_start(spec, folder, Splits(), sources())
    assert first == Past((TrialConfig("a", 2, 0.02, 1e-4),), lr=0.02)
    stored(store, [row("better", lr=0.07, error=0.0)])
    assert warm_start(spec, folder, Splits(), sources()) == first
    (kept,) = folder.read_table("warm_start.parquet").to_pylist()
    assert kept["is_tried"]
    assert kept["teaches_rate"]
    assert (kept["from_study"], kept["from_trial"], kept["from_error"]) == ("old", "old a 0.1", 0.1)
    assert kept["distance"] > 0


def test_off_reads_and_leaves_nothing(tmp_path: Path) -> None:
    stored(tmp_path, [row()])
    spec = study(warm_start="off").model_copy(update={"storage": str(tmp_path)})
    assert warm_start(spec, Folder.open(tmp_path / "new"), Splits(), sources()) == NOTHING
    assert not (tmp_path / "new").exists()
