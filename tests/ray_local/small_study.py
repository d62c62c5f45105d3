"""A study so small that it takes seconds on a local Ray."""

from __future__ import annotations

from typing import Any

from translearn.config import StudySpec, parse_spec


def small_tree(storage: object, **changes: Any) -> dict[str, Any]:
    """A study file: 4 training digits a class, one pre-trained source, 4 short trials."""
    tree: dict[str, Any] = {
        "name": "small",
        "storage": str(storage),
        "target": {
            "data": "sklearn:digits",
            "image_size": 32,
            "train_per_class": 4,
            "ingest": {"split": [0.2, 0.2, 0.6], "limit_per_class": 12},
        },
        "sources": [
            {
                "name": "glyphs",
                "arch": "resnet18",
                "pretrain": {"data": "procedural:glyphs?num=600", "epochs": 1, "lr": 0.05},
            }
        ],
        "search": {"trials": 5, "epochs": 3, "grace_epochs": 1, "lr": [1e-3, 1e-1]},
        "train": {"batch_size": 16, "augment": "crop", "precision": "fp32"},
        "refit": {"seeds": 2, "epochs": 2, "baseline_cap": 1, "label_fractions": [0.5], "forgetting": True},
        "cluster": {"refits_at_once": 1},  # runs so short are not worth the start of a second group
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return tree


def small_study(storage: object, **changes: Any) -> StudySpec:
    """The same, as a spec; ``search__trials=2`` changes ``search.trials``."""
    return parse_spec(small_tree(storage, **changes))
