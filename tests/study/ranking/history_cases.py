"""Past trials and sources, for tests of what is remembered and of what it suggests."""

from __future__ import annotations

from typing import Any

import numpy as np

from translearn.config import StudySpec, parse_spec
from translearn.data.images.image_set import ImageSet
from translearn.models.sources import Source, scratch

#: Meta-features of a balanced target of 10 classes.
TARGET = {"num_classes": 10, "images_per_class": 20.0, "label_entropy": 2.302585092994046, "image_size": 64}


def study(**search: Any) -> StudySpec:
    tree = {
        "name": "new",
        "target": {"data": "sklearn:digits", "image_size": 64},
        "sources": [{"name": name, "arch": "resnet18", "weights": "DEFAULT"} for name in ("a", "b")],
        "search": {"trials": 12, "epochs": 20, **search},
    }
    return parse_spec(tree)


def sources() -> dict[str, Source]:
    found = {name: Source(name, "resnet18", "weights", {}, fingerprint=f"hash of {name}") for name in ("a", "b")}
    return {**found, "scratch": scratch("resnet18")}


def row(study: str = "old", source: str = "a", error: float = 0.1, **changes: Any) -> dict[str, Any]:
    """A trial of a past study: of a source with the weights of this study's source of that name."""
    is_scratch = source == "scratch"
    known = {
        "study": study,
        **TARGET,
        "optimizer": "sgd",
        "full_epochs": 20,
        "trial_id": f"{study} {source} {error}",
        "source": source,
        "arch": "resnet18",
        "kind": "scratch" if is_scratch else "weights",
        "source_fingerprint": None if is_scratch else f"hash of {source}",
        "source_score": None,
        "freeze_depth": 0 if is_scratch else 2,
        "lr": 0.02,
        "weight_decay": 1e-4,
        "status": "done",
        "epochs": 20,
        "val_error": error,
        "val_loss": 1.0,
    }
    return {**known, **changes}


class Splits:
    """A target of two classes, three to one."""

    def __init__(self) -> None:
        labels = np.array([0, 0, 0, 1])
        self.train = ImageSet(np.zeros((4, 8, 8, 3), np.uint8), labels, np.zeros(4, np.uint64))
        self.dataset = self
        self.manifest = self
        self.classes, self.fingerprint = ["x", "y"], "print of the target"
