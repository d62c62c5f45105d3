"""Model directories of a study: what is written beside the tensors, and the errors added at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import translearn
from translearn.cluster.data.predict import Model
from translearn.cluster.training.worker import FAILED
from translearn.config import StudySpec
from translearn.data.images.pixels import FORMATS, MAX_PIXELS
from translearn.data.transforms import MEAN, STD
from translearn.errors import TranslearnError
from translearn.models.model_dir import load_model, save_model
from translearn.models.model_info import MARKER, PRECISION, ModelInfo, TaskErrors
from translearn.models.preprocessing import Preprocessing, with_steps
from translearn.storage.folder import Folder


def model_info(arch: str, classes: Sequence[str], spec: StudySpec, provenance: dict[str, Any]) -> ModelInfo:
    """Return the content of ``model.json`` for a model that this study trains, but for its errors."""
    size = spec.target.image_size
    fields = Preprocessing(image_size=size, mean=MEAN, std=STD, formats=FORMATS, max_pixels=MAX_PIXELS)
    own = {"translearn": translearn.__version__, "study": spec.name, "seed": spec.seed}
    return ModelInfo(
        arch=arch, classes=tuple(classes), preprocessing=with_steps(fields), provenance={**own, **provenance}
    )


def load(folder: Folder) -> Model:
    """Load the model in a model directory, to predict with."""
    state, info = load_model(folder)
    return Model(info.arch, state, len(info.classes))


def publish(source: Folder, out: Folder, errors: TaskErrors, temperature: float) -> None:
    """Copy a model directory to where users find it, with its errors and its temperature."""
    state, info = load_model(source)
    save_model(
        out, state, info.model_copy(update={"errors": errors, "precision": PRECISION, "temperature": temperature})
    )


def failure(folder: Folder) -> str | None:
    """Return why a run diverged; None where it did not."""
    return str(folder.read_json(FAILED)["reason"]) if folder.exists(FAILED) else None


def check_trained(folder: Folder) -> None:
    """Raise TranslearnError, with the reason where there is one, where a run left no model."""
    if not folder.exists(MARKER):
        reason = failure(folder) or "See the logs of Ray."
        raise TranslearnError(f"{folder.uri}: training ended without a model. {reason}")
