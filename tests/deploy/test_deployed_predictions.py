"""Tables of predictions."""

from __future__ import annotations

import numpy as np
import pytest

from translearn.deploy.predictions import Predictions, table_of
from translearn.errors import InputError

P = np.array([[0.5, 0.25, 0.25], [0.0, 0.25, 0.75]], dtype=np.float32)
FOUND = Predictions(("cat", "dog", "newt"), P, ("a.png", "b.png"))


def test_best_classes_and_ties():
    assert FOUND.classes == ["cat", "newt"]
    assert FOUND.top(2) == [[("cat", 0.5), ("dog", 0.25)], [("newt", 0.75), ("dog", 0.25)]]


def test_a_table_has_the_probability_of_every_class():
    assert FOUND.to_arrow().to_pylist()[1] == {
        "id": "b.png",
        "prediction": "newt",
        "probability": 0.75,
        "probability_cat": 0.0,
        "probability_dog": 0.25,
        "probability_newt": 0.75,
        "reason": None,
    }
    assert FOUND.to_pandas().probability_cat.tolist() == [0.5, 0.0]


def test_a_table_of_the_top():
    names = ["id", "prediction", "probability", "prediction_2", "probability_2", "reason"]
    assert FOUND.to_arrow(top=2).column_names == names
    assert FOUND.to_arrow(top=1).column_names == ["id", "prediction", "probability", "reason"]
    assert FOUND.to_arrow(top=3)["prediction_3"].to_pylist() == ["newt", "cat"]


def test_an_image_with_a_reason_has_no_prediction():
    row = table_of(FOUND.class_names, FOUND.ids, P, ["does not exist", None], top=2).to_pylist()[0]
    assert row.pop("id") == "a.png"
    assert row.pop("reason") == "does not exist"
    assert set(row.values()) == {None}


@pytest.mark.parametrize("k", [0, 4])
def test_more_classes_than_there_are(k):
    with pytest.raises(InputError, match=rf"^top: must be from 1 to 3, the number of classes, but got {k}\.$"):
        FOUND.top(k)
    with pytest.raises(InputError, match="top: must be from 1 to 3"):
        FOUND.to_arrow(top=k)
