from __future__ import annotations

import numpy as np
import pytest
from evaluation_cases import predictions, with_errors

from translearn.errors import InputError
from translearn.evaluation.predictions import Predictions, of_role


def test_errors_are_where_the_most_probable_class_is_wrong():
    given = predictions(labels=[0, 1, 2, 2], predicted=[0, 2, 2, 1])
    assert given.errors.tolist() == [False, True, False, True]
    assert given.error == 0.5


def test_of_role_is_ordered_by_seed():
    group = [with_errors([0], "winner", 2), with_errors([0], "scratch", 1), with_errors([0], "winner", 1)]
    assert [p.seed for p in of_role(group, "winner")] == [1, 2]


def test_faulty_values_are_all_named_at_once():
    probabilities = np.array([[0.5, 0.5], [0.7, 0.7], [np.nan, 1.0]])
    with pytest.raises(InputError) as error:
        Predictions("winner", 3, probabilities, np.array([0, 1, 2]))
    assert str(error.value).splitlines() == [
        "predictions of winner, seed 3: rows must be non-negative and sum to 1, but got 2 rows that are not, "
        "the first with the sum 1.4. Apply softmax in float32.",
        "predictions of winner, seed 3: labels must be in [0, 2), but got labels from 0 to 2. "
        "Use the head's classes for the labels.",
    ]


@pytest.mark.parametrize("shape", [(0, 3), (2, 3), (3,)])
def test_shapes_that_do_not_fit_are_a_fault(shape):
    with pytest.raises(InputError, match=r"must be probabilities of shape \(N, C\) and labels of shape \(N,\)"):
        Predictions("winner", 0, np.ones(shape), np.zeros(shape[0] + 1, np.int64))
