"""Two classes that are confused as often as not: the next steps say what to try."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_cases import predictions

from translearn.evaluation.summary import evaluate

CLASSES = ["left", "right", "up"]


def _steps(swapped: int, num: int = 20) -> list[str]:
    """Next steps where so many of ``num`` images each of left and right are taken for the other."""
    labels = np.repeat([0, 1, 2], num)
    answers = labels.copy()
    answers[:swapped], answers[num : num + swapped] = 1, 0
    models = [predictions(labels, answers, "transfer", seed) for seed in range(3)]
    trials = {"transfer": {"source": "imagenet", "freeze_depth": 0, "lr": 0.01}}
    return evaluate(models, models, CLASSES, num_per_class=(5, 5, 5), trials=trials)["next_steps"]


def test_what_to_try_is_said() -> None:
    assert _steps(9)[0] == (
        "Look at left and right, confused as often as not (18 of 40 test images). Where one is the mirror image of "
        "the other, set train.augment to crop or none; else see whether a person can tell them apart, mend their "
        "labels, or merge them."
    )


@pytest.mark.parametrize(("swapped", "num"), [(0, 20), (5, 20), (2, 4)])
def test_fewer_confusions_or_images_are_none(swapped: int, num: int) -> None:
    assert not [line for line in _steps(swapped, num) if line.startswith("Look at")]
