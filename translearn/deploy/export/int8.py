"""Quantisation of an ONNX file to int8, by onnxruntime."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from translearn.deploy.export.formats import INPUT

#: Quantised operations: not those of the normalisation before the network and the softmax after it.
_OPERATIONS = ["Conv", "Gemm", "MatMul", "Add", "Relu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool"]


def quantise(path: Path, out: Path, method: str, calibration: Iterable[np.ndarray]) -> None:
    """Write the int8 form of an ONNX file.

    Args:
        path: The file, in float32.
        out: The file to write.
        method: ``static``: weights and activations, whose ranges the calibration images give. ``dynamic``: weights,
            and activations of matrix products by the range that each batch has.
        calibration: uint8 images, shape (N, S, S, 3), some at a time; for ``static`` only.
    """
    from onnxruntime import quantization

    logging.getLogger().addFilter(_no_advice)  # it advises to do what is done here
    try:
        with tempfile.TemporaryDirectory() as place:
            prepared = Path(place) / "prepared.onnx"
            quantization.quant_pre_process(path, prepared, skip_symbolic_shape=True)
            if method == "dynamic":
                quantization.quantize_dynamic(prepared, out, op_types_to_quantize=["Conv", "Gemm", "MatMul"])
                return
            quantization.quantize_static(
                prepared, out, _Feed(calibration), per_channel=True, op_types_to_quantize=_OPERATIONS
            )
    finally:
        logging.getLogger().removeFilter(_no_advice)


def _no_advice(record: logging.LogRecord) -> bool:
    return "pre-processing before quantization" not in record.getMessage()


class _Feed:
    """The calibration images in the form that onnxruntime asks for."""

    def __init__(self, batches: Iterable[np.ndarray]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        images = next(self._batches, None)
        return None if images is None else {INPUT: np.ascontiguousarray(images.transpose(0, 3, 1, 2))}
