"""The past studies most like this one, by the meta-features of their targets.

Source: Feurer, Springenberg & Hutter, Initializing Bayesian Hyperparameter Optimization via Meta-Learning, AAAI 2015:
    the Euclidean distance of standardised meta-features. Scores of sources among them are landmarkers (Pfahringer,
    Bensusan & Giraud-Carrier, ICML 2000).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from sklearn.metrics.pairwise import nan_euclidean_distances

from translearn.models.sources import Source
from translearn.study.tables import ranked_trials


def by_nearness(
    sources: Mapping[str, Source],
    target: Mapping[str, Any],
    scores: Mapping[str, float],
    past: Sequence[Mapping[str, Any]],
) -> list[tuple[float, list[dict[str, Any]]]]:
    """Return the trials of each past study, best first, and its target's distance; the nearest study first.

    Args:
        sources: This study's sources by name.
        target: What ``history.target_features`` tells of its target.
        scores: What ``history.source_scores`` tells.
        past: Trials of other studies, those of a study together.

    Returns:
        Distances, at least 0, in standard deviations of the meta-features over all of these studies.
    """
    studies = [[dict(row) for row in rows] for _, rows in groupby(past, key=lambda row: row["study"])]
    if not studies:
        return []
    marks = {source.fingerprint: scores[name] for name, source in sources.items() if name in scores}
    vectors = [_meta_features(target, marks, list(marks))]
    vectors += [_meta_features(rows[0], _marks(rows), list(marks)) for rows in studies]
    distances = _distances(np.array(vectors))
    order = np.argsort(distances, kind="stable")
    return [(float(distances[place]), ranked_trials(studies[place])) for place in order]


def _marks(rows: Sequence[Mapping[str, Any]]) -> dict[str | None, float]:
    return {row["source_fingerprint"]: row["source_score"] for row in rows if row["source_score"] is not None}


def _meta_features(
    target: Mapping[str, Any], marks: Mapping[str | None, float], fingerprints: Sequence[str | None]
) -> list[float]:
    """Size and shape of a target, and what sources' features tell of it; NaN where a source was not there."""
    log_classes = math.log(target["num_classes"])
    shape = [log_classes, math.log(target["images_per_class"]), math.log(target["image_size"])]
    imbalance = log_classes - target["label_entropy"]
    return [*shape, imbalance, *(marks.get(fingerprint, math.nan) for fingerprint in fingerprints)]


def _distances(vectors: np.ndarray) -> np.ndarray:
    """From the first vector to each of the others, in standard deviations; what is missing counts as the rest does."""
    spread = np.nanstd(vectors, axis=0)
    standard = vectors / np.where(spread > 0, spread, np.inf)
    return np.asarray(nan_euclidean_distances(standard[:1], standard[1:])[0])
