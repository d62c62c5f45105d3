"""Transferability scores: which source will help, predicted without training.

Each score takes features (N, D) or a source head's probabilities (N, Z) and target labels (N,), and
returns one float; higher is better. ``combine`` joins scores to one ranking, ``card`` says how well they
ranked, ``distance`` says how far a source's data lies from the target's.

>>> import numpy as np
>>> labels = np.repeat([0, 1, 2], 10)
>>> features = np.eye(3)[labels] + 0.01 * np.arange(30)[:, None] % 0.07
>>> knn(features, labels)
1.0
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from translearn.ranking.scores._gbc import gbc
from translearn.ranking.scores._hscore import hscore
from translearn.ranking.scores._inputs import stratified_rows
from translearn.ranking.scores._knn import knn
from translearn.ranking.scores._leep import leep
from translearn.ranking.scores._linear_probe import fit_linear_probe, linear_probe
from translearn.ranking.scores._logme import logme
from translearn.ranking.scores._nce import nce
from translearn.ranking.scores._nleep import nleep
from translearn.ranking.scores._parc import parc
from translearn.ranking.scores._spectrum import unit_scale
from translearn.ranking.scores._transrate import transrate

Score = Callable[..., float]

#: Scores of (features, labels), and of (probabilities, labels), by name.
FEATURE_SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "knn": knn,
        "linear_probe": linear_probe,
        "logme": logme,
        "hscore": hscore,
        "nleep": nleep,
        "transrate": transrate,
        "parc": parc,
        "gbc": gbc,
    }
)
PROBABILITY_SCORES: Mapping[str, Score] = MappingProxyType({"leep": leep, "nce": nce})
#: Those that are combined by default, where they apply.
DEFAULT_SCORES = ("knn", "logme", "hscore", "leep", "nce")

__all__ = [
    "DEFAULT_SCORES",
    "FEATURE_SCORES",
    "PROBABILITY_SCORES",
    "Score",
    "fit_linear_probe",
    "gbc",
    "hscore",
    "knn",
    "leep",
    "linear_probe",
    "logme",
    "nce",
    "nleep",
    "parc",
    "stratified_rows",
    "transrate",
    "unit_scale",
]
