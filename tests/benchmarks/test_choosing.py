"""The benchmark ``choosing`` on made tables: everything but the training."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import choosing
import choosing_tasks
import pytest
from choosing_simulation import Known, followed, ours, plain
from choosing_tasks import ARCH, EPOCHS, RATES, SOURCES, TARGETS, Curve, Table, cells, keep_table, kept_table
from ray.tune.schedulers import ASHAScheduler

from translearn.config import SCRATCH
from translearn.models.sources import Source, scratch
from translearn.ranking.prior import Prior

BEST = ("glyphs", 2, 1e-2)
GIVEN = {name: Source(name, ARCH, "checkpoint", {}, fingerprint=name) for name in SOURCES} | {SCRATCH: scratch(ARCH)}
PRIOR = Prior({"glyphs": 0.7, "textures": 0.3}, {"glyphs": 2, "textures": 0})


def made_curve(cell: choosing_tasks.Cell, epochs: int) -> Curve:
    """One cell is best; the others are as much worse as they are far from it, and the highest rate diverges."""
    name, depth, lr = cell
    far = (name != BEST[0]) + abs(depth - BEST[1]) + abs(math.log10(lr / BEST[2]))
    length = 1 if lr == max(RATES) else epochs
    return [(0.1 + 0.05 * far + 0.2 / epoch, 0.5) for epoch in range(1, length + 1)]


def made_table(epochs: int = EPOCHS) -> Table:
    return {cell: made_curve(cell, epochs) for cell in cells(GIVEN)}


@pytest.mark.parametrize("epochs", [EPOCHS, choosing_tasks.QUICK_EPOCHS])
def test_a_search_without_scheduler_trains_every_trial_whole_or_until_it_diverges(epochs: int) -> None:
    table = made_table(epochs)
    spec = choosing.study(0, epochs, sampler="random", scheduler="none")
    trials = [list(rows) for _, rows in itertools.groupby(sorted(plain(spec, GIVEN, table), key=_order), _trial)]
    assert len(trials) == spec.search.trials
    for rows in trials:
        rate = min(RATES, key=lambda rate: abs(math.log(rate / rows[0].config["lr"])))
        curve = table[rows[0].config["source"], rows[0].config["freeze_depth"], rate]
        assert [(row.val_error, row.seconds) for row in rows] == curve
        assert rows[-1].ends_trial == (len(curve) == epochs)


def test_trials_are_stopped_as_asha_stops_them() -> None:
    """Of every trial that ended early, ASHA says so when it is told of the same epochs in the same order."""
    spec = choosing.study(0, sampler="random", scheduler="asha")
    search = spec.search
    table = {(name, depth, lr): made_curve((name, depth, lr / 2), EPOCHS) for name, depth, lr in cells(GIVEN)}
    found = list(plain(spec, GIVEN, table))
    asha = ASHAScheduler("epoch", "val_error", "min", search.epochs, search.first_rung, search.reduction_factor)
    last = {one.trial: one.epoch for one in found}
    for one in found:
        trial = type("Trial", (), {"trial_id": str(one.trial)})
        if one.epoch == 1:
            asha.on_trial_add(None, trial)
        goes_on = asha.on_trial_result(None, trial, {"epoch": one.epoch, "val_error": one.val_error}) == "CONTINUE"
        assert goes_on == (one.epoch < last[one.trial])
    assert len(found) < 0.7 * search.trials * search.epochs


def test_two_trials_run_at_once_and_costs_count_both() -> None:
    spec = choosing.study(0, sampler="random", scheduler="none")
    found = list(plain(spec, GIVEN, {cell: made_curve(BEST, EPOCHS) for cell in made_table()}))
    assert [one.trial for one in found[:4]] == [0, 1, 0, 1]
    costs = followed(iter(found), EPOCHS, goal=0.2)
    assert (costs.is_near, costs.trials, costs.seconds) == (True, (2 * EPOCHS - 1) / EPOCHS, 0.5 * (2 * EPOCHS - 1))


def test_ours_begins_with_the_best_source_and_finds_the_best_cell() -> None:
    kept = {name: source for name, source in GIVEN.items() if name != "noise"}
    found = list(ours(choosing.study(0), kept, made_table(), PRIOR))
    assert found[0].config["source"] == "glyphs"
    assert {one.config["source"] for one in found} == {"glyphs", "textures", SCRATCH}
    assert min(one.val_error for one in found if one.ends_trial) < made_curve(BEST, EPOCHS)[-1][0] + 0.05


def test_every_figure_is_a_number_that_json_has() -> None:
    known = Known(PRIOR, {"glyphs": 0.9, "textures": 0.5, "noise": 0.3}, 1.0)
    settings = [choosing.Setting(target, 0, made_table(), known) for target in TARGETS[:2]]
    found = json.loads(json.dumps(choosing.figures(settings, GIVEN, searches=2), allow_nan=False))
    assert found["fits"]["searches"]["ours"]["regret"]["n"] == 2
    assert found["tenth"]["ratios"]["warm/no_prior"]["trials"]["mean"] > 0
    assert found["targets"]["digits, seed 0"]["best"] == list(BEST)


def test_only_whole_tables_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing_tasks, "CACHE", tmp_path)
    with pytest.raises(SystemExit, match="--setup"):
        choosing.kept()
    keep_table(tmp_path / "choosing" / f"{TARGETS[3].name}-0-{EPOCHS}.json", made_table())
    assert choosing.kept() == [(TARGETS[3], 0)]
    assert kept_table(TARGETS[3], 0, GIVEN) == made_table()


def _order(one: choosing.Epoch) -> tuple[int, int]:
    return one.trial, one.epoch


def _trial(one: choosing.Epoch) -> int:
    return one.trial
