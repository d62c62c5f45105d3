"""A trained model on storage: its tensors, and all that using them needs.

``model.safetensors`` comes first and ``model.json``, with the tensors' SHA-256, last: a directory without it, or with
another file beside it, is not a model.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import safetensors.torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from torch import Tensor

from translearn.config.archs import STAGES
from translearn.errors import StorageError, WeightsError, fault
from translearn.models.weights import State, non_finite, parse_state
from translearn.storage.folder import Folder

MARKER, TENSORS = "model.json", "model.safetensors"
#: In which models are evaluated and to be used: that of their tensors.
PRECISION: Literal["fp32"] = "fp32"
Error = Annotated[float, Field(ge=0, le=1)]
Channels = tuple[float, float, float]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Preprocessing(_Model):
    """Conversion of an image to the network's input.

    Attributes:
        image_size: Side of the square input, pixels.
        mean: Subtracted from each of R, G, B, in [0, 1].
        std: The divisor of each of R, G, B after that.
        resize: The method that resizes an image to ``image_size``.
    """

    image_size: int
    mean: Channels
    std: Channels
    resize: str


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

    @field_validator("arch")
    @classmethod
    def _known(cls, arch: str) -> str:
        if arch not in STAGES:
            raise ValueError(f"must be one of {', '.join(STAGES)}")
        return arch


class _Marker(_Model):
    sha256: str
    info: ModelInfo


def save_model(folder: Folder, state: dict[str, Tensor], info: ModelInfo) -> None:
    """Write a model directory, the marker last; replace the model that was there.

    Raises:
        StorageError: The folder cannot be written.
        WeightsError: A tensor holds NaN or infinity; nothing is written.
    """
    if bad := non_finite(state):
        rule, got = "a model that is written must hold finite numbers only", f"NaN or infinity in {', '.join(bad)}"
        raise WeightsError(fault(folder.address(TENSORS), rule, got, "Train it with a lower learning rate."))
    content = safetensors.torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})
    folder.remove_file(MARKER)
    folder.write_bytes(TENSORS, content)
    marker = _Marker(sha256=hashlib.sha256(content).hexdigest(), info=info)
    folder.write_json(MARKER, marker.model_dump(mode="json"))


def load_model(folder: Folder) -> tuple[State, ModelInfo]:
    """Return the tensors, on the CPU, and the description of a model directory.

    Raises:
        WeightsError: There is no finished model, or its files are not the ones that were written together.
    """
    marker = _read_marker(folder)
    content = _read(folder, TENSORS)
    digest = hashlib.sha256(content).hexdigest()
    if digest != marker.sha256:
        rule, remedy = f"must have the SHA-256 in {MARKER}, {marker.sha256[:12]}…", "Copy or train the model again."
        raise WeightsError(fault(folder.address(TENSORS), rule, f"{digest[:12]}…", remedy))
    return parse_state(content, folder.address(TENSORS)), marker.info


def read_info(folder: Folder) -> ModelInfo:
    """Return the description alone. Raises WeightsError when there is no finished model."""
    return _read_marker(folder).info


def _read_marker(folder: Folder) -> _Marker:
    where = folder.address(MARKER)
    try:
        return _Marker.model_validate_json(_read(folder, MARKER))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        got = f"something else ({faults})"
        raise WeightsError(fault(where, "must describe a model", got, "Copy or train the model again.")) from error


def _read(folder: Folder, name: str) -> bytes:
    try:
        return folder.read_bytes(name)
    except StorageError as error:
        got, remedy = f"no readable {name}", "Let its training finish, or give another directory."
        raise WeightsError(fault(folder.uri, "must be a finished model directory", got, remedy)) from error
