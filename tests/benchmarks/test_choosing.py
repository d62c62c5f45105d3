"""The benchmark ``choosing`` on made tables: everything but the training, and the training for one short table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import choosing
import choosing_table
import pytest
from choosing_past import ranking_of
from choosing_replay import followed, race_alone
from choosing_table import EPOCHS, RATES, Table, kept_table, with_scratch
from choosing_tasks import ARCH, SOURCES, TARGETS, Target

from translearn.config.archs import num_stages
from translearn.models.network import build
from translearn.models.sources import Source

BEST = ("glyphs", 2, 1e-2)


@pytest.fixture(scope="module")
def sources() -> dict[str, Source]:
    return with_scratch({name: _source(name, seed) for seed, name in enumerate(SOURCES)})


def _source(name: str, seed: int) -> Source:
    state = {key: tensor.detach().clone() for key, tensor in build(ARCH, 5, seed).state_dict().items()}
    return Source(name, ARCH, "checkpoint", state, tuple("abcde"), 0.1, name)


def made_table(sources: dict[str, Source], epochs: int = EPOCHS) -> Table:
    """One cell is best; the others are as much worse as they are far from it, and the highest rate diverges."""
    return {
        (name, depth, lr): _curve(name, depth, lr, epochs)
        for name in sources
        for depth in ([0] if name == "scratch" else range(num_stages(ARCH) + 1))
        for lr in RATES
    }


def _curve(name: str, depth: int, lr: float, epochs: int) -> list[tuple[float, float, float]]:
    far = (name != BEST[0]) + abs(depth - BEST[1]) + abs(math.log10(lr / BEST[2]))
    error = 0.1 + 0.05 * far
    length = 1 if lr == max(RATES) else epochs
    return [(error + 0.2 / epoch, error, 0.5) for epoch in range(1, length + 1)]


@pytest.fixture(scope="module")
def settings(sources: dict[str, Source]) -> list[choosing.Setting]:
    ranking = ranking_of(Target("few", "textures", (0, 1), per_class=3), 0, sources, choosing.study(0))
    return [choosing.Setting(target, 0, made_table(sources), ranking) for target in TARGETS[:2]]


def test_a_ranking_names_every_source_and_what_it_cost(settings: list[choosing.Setting]) -> None:
    ranking = settings[0].ranking
    assert set(ranking.prior.order) <= set(SOURCES)
    assert set(ranking.scores) == set(SOURCES)
    assert ranking.seconds > 0


@pytest.mark.parametrize("epochs", [EPOCHS, choosing_table.QUICK_EPOCHS])
def test_a_search_of_a_table_of_any_length_trains_trials_whole(sources: dict[str, Source], epochs: int) -> None:
    def search(spec: choosing.StudySpec) -> Iterator[tuple[float, float | None]]:
        return race_alone(made_table(sources, epochs), spec, sources)

    found = followed(search, choosing.study(0, epochs), goal=0.0)
    assert found.error < 0.5
    assert found.trials <= choosing.TRIALS


def test_every_figure_is_a_number_that_json_has(settings: list[choosing.Setting], sources: dict[str, Source]) -> None:
    found = json.loads(json.dumps(choosing.figures(settings, sources, searches=2), allow_nan=False))
    assert found["fits"]["searchers"]["prior"]["regret"]["n"] == 2
    assert found["tenth"]["ratios"]["warm/race"]["trials"]["mean"] > 0
    assert found["targets"]["digits, seed 0"]["best"] == list(BEST)


def test_only_whole_tables_are_measured(
    sources: dict[str, Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing_table, "CACHE", tmp_path)
    with pytest.raises(SystemExit, match="--setup"):
        choosing.kept(choosing.ALL)
    rows = [[depth, lr, curve] for (name, depth, lr), curve in made_table(sources).items() if name == "glyphs"]
    for target, names in ((TARGETS[3], sources), (TARGETS[0], list(sources)[:2])):
        for name in names:
            choosing_table._keep(tmp_path / "choosing" / f"{target.name}-0-{name}.json", rows)
    assert choosing.kept(choosing.ALL) == [(TARGETS[3], 0)]
    kept = kept_table(TARGETS[3], 0, {"glyphs": sources["glyphs"]})
    assert kept == {cell: curve for cell, curve in made_table(sources).items() if cell[0] == "glyphs"}
