"""A trained model on storage: its tensors, and all that using them needs.

``model.safetensors`` comes first and ``model.json``, with the tensors' SHA-256, last: a directory without it, or with
another file beside it, is not a model.
"""

from __future__ import annotations

import hashlib

import safetensors.torch
from torch import Tensor

from translearn.errors import WeightsError, fault
from translearn.models.checkpoints.files import parse_content
from translearn.models.model_info import MARKER, Marker, ModelInfo, read_file, read_marker
from translearn.models.weights import State, non_finite
from translearn.storage.folder import Folder

__all__ = ["MARKER", "TENSORS", "ModelInfo", "load_model", "save_model"]

TENSORS = "model.safetensors"


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
    marker = Marker(sha256=hashlib.sha256(content).hexdigest(), info=info)
    folder.write_json(MARKER, marker.model_dump(mode="json"))


def load_model(folder: Folder) -> tuple[State, ModelInfo]:
    """Return the tensors, on the CPU, and the description of a model directory.

    Raises:
        WeightsError: There is no finished model, or its files are not the ones that were written together.
    """
    marker = read_marker(folder)
    content = read_file(folder, TENSORS)
    digest = hashlib.sha256(content).hexdigest()
    if digest != marker.sha256:
        rule, remedy = f"must have the SHA-256 in {MARKER}, {marker.sha256[:12]}…", "Copy or train the model again."
        raise WeightsError(fault(folder.address(TENSORS), rule, f"{digest[:12]}…", remedy))
    return parse_content(content, folder.address(TENSORS)).tensors, marker.info
