"""Sources that cost more than a study's limits have no trials: by name, and before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from translearn.cluster.resources import Resources
from translearn.config import StudySpec, parse_spec
from translearn.errors import InputError
from translearn.models.cost import Cost, size_of
from translearn.storage.folder import Folder
from translearn.study.directory import COSTS
from translearn.study.sources import costs
from translearn.study.sources.costs import costs_of
from translearn.study.sources.limits import kept_sources, size_faults

ANY = cast(Resources, None)
LATENCIES = {"resnet18": 20.0, "resnet34": 40.0, "mobilenet_v2": 15.0}


def study(**limited: float) -> StudySpec:
    sources = [{"name": arch, "arch": arch, "weights": "DEFAULT"} for arch in LATENCIES]
    tree = {"name": "pets", "target": {"data": "x", "image_size": 64}, "sources": sources}
    return parse_spec({**tree, "search": {"limits": limited}})


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The architectures that were measured so far; a measurement takes no time."""
    asked: list[str] = []

    def measure(archs: Sequence[str], num_classes: int, image_size: int, _: Resources) -> list[Cost]:
        asked.extend(archs)
        sizes = [size_of(arch, num_classes, image_size) for arch in archs]
        return [
            replace(size, cpu="some CPU", cpu_latency_ms=LATENCIES[size.arch], cpu_images_per_s=50.0) for size in sizes
        ]

    monkeypatch.setattr(costs, "measured_costs", measure)
    return asked


def test_a_study_without_limits_keeps_all_and_measures_nothing(tmp_path: Path, measured: list[str]) -> None:
    assert size_faults(study(), 10) == []
    assert kept_sources(study(), Folder.open(tmp_path), 10, ANY) == (study(), "")
    assert measured == []


def test_one_line_names_each_source_left_out_with_its_value_and_the_limit(tmp_path: Path, measured: list[str]) -> None:
    spec = study(params_millions=11.5, mb=9.5)
    kept, line = kept_sources(spec, Folder.open(tmp_path), 10, ANY)
    assert [source.arch for source in kept.sources] == ["mobilenet_v2"]
    assert kept.archs == ("mobilenet_v2",)
    assert line == (
        "search.limits leave out 2 of 3 sources: resnet18 (44.77 > 9.5 MB); "
        "resnet34 (21.29 > 11.5 million parameters, 85.23 > 9.5 MB)"
    )
    assert measured == []


def test_speed_is_measured_once_of_what_is_small_enough(tmp_path: Path, measured: list[str]) -> None:
    spec, folder = study(latency_ms=18, params_millions=20), Folder.open(tmp_path)
    kept, line = kept_sources(spec, folder, 10, ANY)
    assert [source.arch for source in kept.sources] == ["mobilenet_v2"]
    assert "resnet18 (20 > 18 ms an image on one thread of some CPU)" in line
    assert "resnet34 (21.29 > 20 million parameters)" in line
    assert kept_sources(spec, folder, 10, ANY) == (kept, line)  # as it was measured when the study began
    assert costs_of(kept, folder, 10, ANY)["mobilenet_v2"].latency_ms == 15
    assert measured == ["resnet18", "mobilenet_v2"]


def test_a_limit_is_one_that_may_be_reached(tmp_path: Path, measured: list[str]) -> None:
    assert kept_sources(study(latency_ms=40), Folder.open(tmp_path), 10, ANY)[1] == ""


def test_limits_that_leave_nothing_are_one_fault(tmp_path: Path, measured: list[str]) -> None:
    (line,) = size_faults(study(mb=5), 10)
    assert line == (
        "search.limits: must leave at least one source, but got none: resnet18 (44.77 > 5 MB); "
        "resnet34 (85.23 > 5 MB); mobilenet_v2 (9.084 > 5 MB). "
        "Raise a limit, or add a smaller source: `translearn backbones` lists them."
    )
    with pytest.raises(InputError) as caught:
        kept_sources(study(mb=5), Folder.open(tmp_path), 10, ANY)
    assert str(caught.value) == line
    assert measured == []


def test_too_slow_sources_leave_no_measurement_behind(tmp_path: Path, measured: list[str]) -> None:
    folder = Folder.open(tmp_path)
    with pytest.raises(InputError, match=r"mobilenet_v2 \(15 > 1 ms an image on one thread of some CPU\)"):
        kept_sources(study(latency_ms=1), folder, 10, ANY)
    assert not folder.exists(COSTS)
    assert [source.arch for source in kept_sources(study(latency_ms=16), folder, 10, ANY)[0].sources] == [
        "mobilenet_v2"
    ]


def test_an_unknown_backbone_is_left_to_the_faults_of_sources() -> None:
    spec = parse_spec(
        {
            "name": "pets",
            "target": {"data": "x"},
            "sources": [{"name": "a", "arch": "resnet81", "weights": "DEFAULT"}],
            "search": {"limits": {"mb": 1}},
        }
    )
    assert size_faults(spec, 10) == []
