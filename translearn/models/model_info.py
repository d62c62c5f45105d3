"""The description of a trained model, ``model.json``. Free of torch, so that a wrong path is told at once."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from translearn.errors import StorageError, WeightsError, fault
from translearn.models.preprocessing import Preprocessing
from translearn.storage.folder import Folder

MARKER = "model.json"
#: In which models are evaluated and to be used: that of their tensors.
PRECISION: Literal["fp32"] = "fp32"
Error = Annotated[float, Field(ge=0, le=1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class TaskErrors(_Model):
    """Share of images classified wrongly, 0 to 1, lower is better; None where it was not measured."""

    validation: Error | None = None
    test: Error | None = None


class ModelInfo(_Model):
    """Description of a model directory's tensors. ``classes`` are in the order of the logits.

    ``temperature``: the divisor of the logits before softmax that calibrates confidence; fitted on validation, None
    where it was not. It changes no prediction. ``precision``: in which its errors were measured.
    """

    arch: str
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    errors: TaskErrors = TaskErrors()
    precision: Literal["fp32", "bf16"] = PRECISION
    temperature: Annotated[float, Field(gt=0)] | None = None
    provenance: dict[str, Any] = {}


class Marker(_Model):
    """The content of ``model.json``: the SHA-256 of the tensors, and their description."""

    sha256: str
    info: ModelInfo


def find_model(path: str | os.PathLike[str]) -> Folder:
    """Return the model directory at a path: the path itself, or ``model/`` in it where it is a study's directory."""
    folder = Folder.open(path)
    return folder / "model" if not folder.exists(MARKER) and (folder / "model").exists(MARKER) else folder


def read_info(folder: Folder) -> ModelInfo:
    """Return the description alone. Raises WeightsError when there is no finished model."""
    return read_marker(folder).info


def read_marker(folder: Folder) -> Marker:
    """Return the content of ``model.json``. Raises WeightsError when there is no finished model."""
    where = folder.address(MARKER)
    try:
        return Marker.model_validate_json(read_file(folder, MARKER))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        got = f"something else ({faults})"
        raise WeightsError(fault(where, "must describe a model", got, "Copy or train the model again.")) from error


def read_file(folder: Folder, name: str) -> bytes:
    """Return the content of a file of a model directory. Raises WeightsError when it is not there."""
    try:
        return folder.read_bytes(name)
    except StorageError as error:
        got, remedy = f"no readable {name}", "Let its training finish, or give another directory."
        raise WeightsError(fault(folder.uri, "must be a finished model directory", got, remedy)) from error
