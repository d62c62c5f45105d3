"""Errors of sources on their own data: where they are measured, and what is said of absurd ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from translearn.evaluation.source_error import SourceError
from translearn.models.network import skeleton
from translearn.models.sources import Source
from translearn.study.sources import errors as module
from translearn.study.sources.errors import absurd_line, measured_errors


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The errors of a source with a head for two classes, of which these are known, on data of these classes."""
    images = SimpleNamespace(labels=np.array([0, 1, 1, 1]), images=None)
    monkeypatch.setattr(module, "_images", lambda *_: images)
    monkeypatch.setattr(module, "predict", lambda models, *_: [np.eye(models[0].num_classes)[[0, 1, 1, 0]]])

    def run(classes: tuple[str, ...] | None, data: list[str], width: int = 2) -> dict[str, SourceError]:
        shapes = skeleton("resnet18", width).state_dict().items()
        state = {name: torch.zeros(()).expand(one.shape) for name, one in shapes}
        dataset: Any = SimpleNamespace(manifest=SimpleNamespace(classes=data))
        source = Source("a", "resnet18", "checkpoint", state, classes)
        return measured_errors({"a": source, "b": source}, {"a": dataset}, None, None)  # type: ignore[arg-type]

    return run


@pytest.mark.parametrize("classes", [("x", "y"), None])
def test_a_head_for_the_classes_of_its_data_is_measured(measured: Any, classes: Any) -> None:
    found = measured(classes, ["x", "y"])
    assert set(found) == {"a"}
    assert (found["a"].value, found["a"].num_examples) == (0.25, 4)


@pytest.mark.parametrize(
    ("classes", "data", "width"), [(("y", "x"), ["x", "y"], 2), (None, ["x", "y", "z"], 2), (None, ["x", "y"], 1000)]
)
def test_a_head_of_other_classes_tells_nothing(measured: Any, classes: Any, data: list[str], width: int) -> None:
    assert measured(classes, data, width) == {}


def test_an_absurd_error_is_a_warning_that_says_what_may_be_wrong() -> None:
    assert absurd_line("birds", SourceError(0.93, 0.91, 0.9, 800)) == (
        "warning: birds errs on 93 % of 800 images of its own data, where always giving one answer errs on 90 %. Its "
        "weights may be those of another network under the same names, of other pixels than R, G and B that are "
        "normalised so, or its classes may be in another order: docs/study.md, Checkpoints."
    )
