"""The plot of error against latency: which sources are on the Pareto front, and when there is none."""

from __future__ import annotations

from typing import Any

import pytest
from report_cases import cost

from translearn.report.plots.cost_plot import cost_plot, pareto_front

COLOURS = {"a": "#0072b2", "b": "#e69f00", "c": "#009e73", "scratch": "#6b7785"}


def sources(**archs: str) -> list[dict[str, Any]]:
    return [{"name": name, **cost(arch, latency_ms=5.0 + 10 * at)} for at, (name, arch) in enumerate(archs.items())]


def trial(source: str, error: float | None, epochs: int = 9, status: str = "done") -> dict[str, Any]:
    return {"source": source, "val_error": error, "epochs": epochs, "status": status}


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([(1, 0.3), (2, 0.2), (3, 0.25)], [(1, 0.3), (2, 0.2)]),
        ([(1, 0.3), (1, 0.2), (2, 0.2)], [(1, 0.2)]),
        ([(2, 0.1), (2, 0.1)], [(2, 0.1)]),
        ([(3, 0.1), (1, 0.4)], [(1, 0.4), (3, 0.1)]),
    ],
)
def test_the_front_holds_what_nothing_is_better_than(points: list, front: list) -> None:
    assert pareto_front(points) == front


def test_each_tried_source_has_its_colour_and_each_architecture_its_symbol() -> None:
    trials = [
        trial("a", 0.3),
        trial("a", 0.2, epochs=3, status="stopped"),
        trial("b", 0.1),
        trial("c", None, 1, "failed"),
    ]
    svg = cost_plot(sources(a="resnet18", b="resnet34", c="resnet50"), trials, COLOURS)
    assert svg is not None
    assert all(f">{name}<" in svg for name in ("a", "b", "resnet18", "resnet34", "Pareto front"))
    assert ">c<" not in svg  # nothing is known of its error
    assert ">resnet50<" not in svg
    assert ">latency of one image, ms (one thread of Some CPU)<" in svg


def test_sources_of_one_architecture_have_no_plot() -> None:
    tried = [trial("a", 0.3), trial("b", 0.2)]
    assert cost_plot(sources(a="resnet18", b="resnet18"), tried, COLOURS) is None
    assert cost_plot(sources(a="resnet18", b="resnet34"), tried[:1], COLOURS) is None
