"""A made-up ranking and leak check, for the tests of the report."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from translearn.ranking.card import report_card

SOURCES = ("glyphs", "textures")
WHY = {"glyphs": "ranked first", "textures": "every score lies below that of glyphs, by more than the intervals"}


def ranking(names: tuple[str, ...] = SOURCES, num_tried: int | None = None) -> dict[str, Any]:
    """The section ``ranking``: the first source is far better, the others are dropped. The first few have trials."""
    tried = names[:num_tried]
    errors = [0.1 + 0.3 * place for place in range(len(tried))]
    rows = [
        {
            "source": name,
            "mean_rank": 0.75 - 0.5 * place / max(1, len(names) - 1),
            "weight": float(place == 0),
            "freeze_depth": 2 - place,
            "is_dropped": place > 0,
            "why": WHY.get(name, "ranked first"),
            "source_accuracy": None,
            "num_parameters": 11176512.0,
            "distances": None if place else _distances(),
            "seconds": 3.2,
        }
        for place, name in enumerate(names)
    ]
    stages = [
        {"source": name, "depth": depth, "score": score, "value": value, "low": value - 0.05, "high": value + 0.05}
        for place, name in enumerate(names)
        for score in ("knn", "linear_probe", "logme", "hscore")
        for depth, value in enumerate(np.linspace(0.2, 0.9 - 0.5 * place, 5).tolist(), 1)
    ]
    of_source = [
        {"source": name, "val_error": error, "epoch": 7, "best_of": 4, "num_trials": 9}
        for name, error in zip(tried, errors, strict=True)
    ]
    return {
        "order": list(names),
        "dropped": list(names[1:]),
        "scores": ["knn", "logme"],
        "sources": rows,
        "num_examples": 300,
        "num_train": 320,
        "seconds": 12.0,
        "stages": stages,
        "errors": of_source,
        "card": _card(errors),
    }


def _card(errors: list[float]) -> dict[str, Any]:
    if len(errors) < 2:
        return {"rows": [], "beats_static": None, "sentence": "With fewer than two sources nothing was ranked."}
    static = {"source_accuracy": np.linspace(0.9, 0.95, len(errors))}
    return asdict(report_card({"knn": [-e for e in errors]}, static, errors, num_resamples=100))


def leaks(num_near: int = 2, name: str = "textures") -> dict[str, Any]:
    """The section ``leaks``: one source was trained on so many near duplicates of test images."""
    counts = {"num_train": 3000, "num_test": 1200, "num_exact": 0, "num_near": num_near}
    pairs = [{"source_image": f"a/{i}.png", "test_image": f"b/{i}.png", "kind": "near"} for i in range(num_near)]
    rows = [{"source": name, **counts, "pairs": pairs}]
    return {"sources": rows, "unchecked": ["imagenet"], "max_bits": 10, "min_correlation": 0.98}


def _distances() -> dict[str, Any]:
    proxy = {"value": 1.234, "low": 1.1, "high": 1.4}
    return {"proxy_a": proxy, "frechet": {"value": 0.56, "low": 0.4, "high": 0.7}, "num_source": 300, "num_target": 300}
