"""Predictions of a model: the probabilities of every class, and tables of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from translearn.errors import InputError, fault

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of a model for N images.

    Attributes:
        class_names: The C classes of the model.
        probabilities: float32, shape (N, C), in the order of ``class_names``; each row sums to 1.
        ids: A name for each image.
    """

    class_names: tuple[str, ...]
    probabilities: np.ndarray
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def classes(self) -> list[str]:
        """The most probable class of each image; the first of them on a tie."""
        return [self.class_names[index] for index in self.probabilities.argmax(axis=1)]

    def top(self, k: int) -> list[list[tuple[str, float]]]:
        """Return the k most probable classes of each image with their probabilities, most probable first.

        Raises:
            InputError: k is not from 1 to C.
        """
        best_NK = _best(self.probabilities, _checked(k, len(self.class_names)))
        return [
            [(self.class_names[index], float(row[index])) for index in best]
            for row, best in zip(self.probabilities, best_NK, strict=True)
        ]

    def to_arrow(self, top: int | None = None) -> pa.Table:
        """Return a table of ``schema``, a row an image. Raises InputError as ``top`` does."""
        return table_of(self.class_names, self.ids, self.probabilities, [None] * len(self), top)

    def to_pandas(self, top: int | None = None) -> pd.DataFrame:
        """Return ``to_arrow`` as a data frame."""
        return self.to_arrow(top).to_pandas()


def schema(class_names: Sequence[str], top: int | None = None) -> pa.Schema:
    """Return the columns of a table of predictions.

    Args:
        class_names: The C classes of the model.
        top: k, from 1 to C; None for every class.

    Returns:
        ``id``, ``prediction``, ``probability``; the probability of every class C as ``probability_C``, or with ``top``
        the second to the k-th class as ``prediction_2``, ``probability_2``, ...; and ``reason``: why there is no
        prediction, null where there is one.

    Raises:
        InputError: ``top`` is not from 1 to C.
    """
    text, number = pa.string(), pa.float32()
    if top is None:
        more = [(f"probability_{name}", number) for name in class_names]
    else:
        ranks = range(2, _checked(top, len(class_names)) + 1)
        more = [field for k in ranks for field in ((f"prediction_{k}", text), (f"probability_{k}", number))]
    return pa.schema([("id", text), ("prediction", text), ("probability", number), *more, ("reason", text)])


def table_of(
    class_names: Sequence[str],
    ids: Sequence[str],
    probabilities_NC: np.ndarray,
    reasons: Sequence[str | None],
    top: int | None = None,
) -> pa.Table:
    """Return a table of ``schema``, a row an image.

    Args:
        class_names: The C classes of the model.
        ids: The name of each image.
        probabilities_NC: float32, of every image; those of an image with a reason are left out.
        reasons: Why an image has no prediction; None for the others.
        top: As for ``schema``.
    """
    columns = schema(class_names, top)
    missing_N = np.array([reason is not None for reason in reasons], dtype=bool)
    best_NK = _best(probabilities_NC, top or 1)
    names = pa.array(class_names, pa.string())
    ranked = [
        column
        for indices in best_NK.T
        for column in (
            names.take(pa.array(indices, pa.int64(), mask=missing_N)),
            pa.array(np.take_along_axis(probabilities_NC, indices[:, None], 1)[:, 0], pa.float32(), mask=missing_N),
        )
    ]
    dense = [pa.array(column, pa.float32(), mask=missing_N) for column in probabilities_NC.T] if top is None else []
    return pa.table([pa.array(ids, pa.string()), *ranked, *dense, pa.array(reasons, pa.string())], schema=columns)


def _best(probabilities_NC: np.ndarray, k: int) -> np.ndarray:
    """Return the indices of the k highest probabilities of each row, shape (N, k); the lower index first on a tie."""
    order: np.ndarray = np.argsort(-probabilities_NC, axis=1, kind="stable")[:, :k]
    return order


def _checked(k: int, num_classes: int) -> int:
    if not 1 <= k <= num_classes:
        raise InputError(fault("top", f"must be from 1 to {num_classes}, the number of classes", k, ""))
    return k
