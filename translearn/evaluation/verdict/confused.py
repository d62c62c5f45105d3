"""Two classes that a model confuses as often as not, and what may mix them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

#: The least part of the test images of both that are taken for the other, and the least number of each.
AS_OFTEN_AS_NOT, LEAST_IMAGES = 0.4, 5


def confused_sentences(matrix: Sequence[Sequence[int]] | None, classes: Sequence[str]) -> list[str]:
    """Return one line on the two classes that are confused most; none where none are as often as not.

    Args:
        matrix: Test images of each class (row) predicted as each class; None where there are too many classes.
        classes: The names.
    """
    found = [
        (wrong / total, wrong, total, i, j)
        for i, j in combinations(range(len(classes)), 2)
        if matrix and matrix[i][j] and matrix[j][i] and min(sum(matrix[i]), sum(matrix[j])) >= LEAST_IMAGES
        for wrong in [matrix[i][j] + matrix[j][i]]
        for total in [wrong + matrix[i][i] + matrix[j][j]]
    ]
    if not found or max(found)[0] < AS_OFTEN_AS_NOT:
        return []
    _, wrong, total, i, j = max(found)
    return [
        f"Look at {classes[i]} and {classes[j]}, confused as often as not ({wrong} of {total} test images). Where one "
        "is the mirror image of the other, set train.augment to crop or none; else see whether a person can tell them "
        "apart, mend their labels, or merge them."
    ]
