"""The answer to an image: class probabilities, or why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from translearn.data.images.pixels import encode_png


@dataclass(frozen=True)
class Answer:
    """The answer to an image.

    Attributes:
        probabilities: Of each class, in the model's order; None where there is a reason.
        reason: Why the image could not be read.
        picture: The image as the model saw it, PNG, where it was asked for.
    """

    probabilities: tuple[float, ...] | None = None
    reason: str | None = None
    picture: bytes | None = None


def answer(probabilities_C: np.ndarray, pixels_SSC: np.ndarray, with_picture: bool) -> Answer:
    """Return the answer to a preprocessed image, uint8 of shape (S, S, 3)."""
    found = tuple(float(f"{value:.6g}") for value in probabilities_C)
    return Answer(found, picture=encode_png(pixels_SSC) if with_picture else None)


def row(given: Answer, name: str | None, classes: Sequence[str], top: int) -> dict[str, Any]:
    """Return an answer as JSON: the most probable class, and the first ``top`` classes with their probabilities."""
    assert given.probabilities is not None
    ranked = sorted(zip(classes, given.probabilities, strict=True), key=lambda pair: -pair[1])[:top]
    first, probability = ranked[0]
    return {"name": name, "class": first, "probability": probability, "probabilities": dict(ranked)}
