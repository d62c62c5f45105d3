"""A request for an export, checked whole before anything expensive: free of torch."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from translearn.deploy.export.kinds import FORMATS
from translearn.deploy.export.samples import Samples, named_samples, study_samples
from translearn.deploy.new_file import new_file
from translearn.errors import InputError, collected, fault
from translearn.models.model_info import ModelInfo, find_model, read_info
from translearn.storage.folder import Folder

_ONNX_PACKAGES = ("onnx", "onnxruntime", "onnxscript")


@dataclass(frozen=True)
class ExportRequest:
    """What is to be exported, and where to.

    Attributes:
        folder: The model directory.
        info: The model's description.
        kind: One of ``kinds.FORMATS``.
        int8: One of ``kinds.INT8``, or None for float32.
        samples: The images to check it on.
        out: The folder and the name of the file.
    """

    folder: Folder
    info: ModelInfo
    kind: str
    int8: str | None
    samples: Samples
    out: tuple[Folder, str]


def check_export(
    model: str, kind: str, out: str, int8: str | None = None, check: str | None = None, overwrite: bool = False
) -> ExportRequest:
    """Check a request.

    Args:
        model: A model directory, or a study's.
        kind: One of ``kinds.FORMATS``.
        out: The file to write, local or an address.
        int8: One of ``kinds.INT8``; None for float32.
        check: Images to check the file on; None for the validation images of the study.
        overwrite: Whether the file may exist.

    Raises:
        InputError: With every fault.
        StorageError: A storage cannot be reached.
    """
    faults = _format_faults(kind, int8)
    folder = find_model(model)
    info = collected(faults, lambda: read_info(folder))
    samples = collected(faults, lambda: _samples(folder, check)) if info or check else None
    place = collected(faults, lambda: new_file(out, (FORMATS[kind],), overwrite, f"model{FORMATS[kind]}"))
    if faults or not (info and samples and place):
        raise InputError("\n".join(faults))
    return ExportRequest(folder, info, kind, int8, samples, place)


def _format_faults(kind: str, int8: str | None) -> list[str]:
    if kind != "onnx":
        return [fault("--int8", "must go with --format onnx", f"--format {kind}", "Leave it out.")] if int8 else []
    missing = [name for name in _ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    rule, got = f"must find the packages {', '.join(_ONNX_PACKAGES)}", f"no {', no '.join(missing)}"
    return [fault("--format onnx", rule, got, "Run: pip install 'translearn[onnx]'.")] if missing else []


def _samples(folder: Folder, check: str | None) -> Samples:
    samples = named_samples(check) if check else study_samples(folder)
    if samples is None:
        rule = f"must name images to check the file on, as no study's data is beside {folder.uri}"
        raise InputError(fault("--check", rule, "none", "Give --check FOLDER."))
    return samples
