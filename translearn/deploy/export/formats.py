"""Writing of a classifier to a file of each format, and running of the file."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from translearn.deploy.classifier import Classifier

#: From preprocessed images, uint8 (N, S, S, 3), to class probabilities, float32 (N, C).
Run = Callable[[np.ndarray], np.ndarray]
INPUT, OUTPUT = "images", "probabilities"


def write(classifier: Classifier, image_size: int, kind: str, path: Path) -> None:
    """Write a classifier on the CPU to a file whose input is uint8 (N, 3, S, S) for any N from 1."""
    example_N3SS = torch.zeros((2, 3, image_size, image_size), dtype=torch.uint8)  # 1 would be taken for a constant
    with _quiet(), torch.inference_mode():
        _WRITERS[kind](classifier, example_N3SS, path)


def opened(kind: str, path: Path) -> Run:
    """Load a file that ``write`` wrote, to run it on the CPU with torch's number of threads."""
    with _quiet():
        return _OPENERS[kind](path)


def _write_onnx(classifier: Classifier, example: torch.Tensor, path: Path) -> None:
    program = torch.onnx.export(
        classifier,
        (example,),
        dynamo=True,
        dynamic_shapes=_ANY_NUMBER,
        input_names=[INPUT],
        output_names=[OUTPUT],
        verbose=False,
    )
    assert program is not None
    program.save(path, external_data=False)


def _open_onnx(path: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(images_NSSC: np.ndarray) -> np.ndarray:
        (found_NC,) = session.run([OUTPUT], {INPUT: np.ascontiguousarray(images_NSSC.transpose(0, 3, 1, 2))})
        return np.asarray(found_NC)

    return run


def _write_torch_export(classifier: Classifier, example: torch.Tensor, path: Path) -> None:
    stream = io.BytesIO()  # to a path it wants one that ends in .pt2, which a file has only once it is whole
    torch.export.save(torch.export.export(classifier, (example,), dynamic_shapes=_ANY_NUMBER), stream)
    path.write_bytes(stream.getvalue())


def _open_torch_export(path: Path) -> Run:
    return _run_module(torch.export.load(io.BytesIO(path.read_bytes())).module())


def _write_torchscript(classifier: Classifier, example: torch.Tensor, path: Path) -> None:
    torch.jit.save(torch.jit.trace(classifier, example), str(path))


def _run_module(module: Any) -> Run:
    def run(images_NSSC: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(images_NSSC).permute(0, 3, 1, 2)).numpy())

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch warns of itself out of the output: that TorchScript is deprecated docs/use.md says."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"torch\.")
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*torch.jit")
        yield


_ANY_NUMBER = ({0: torch.export.Dim("N", min=1)},)
_WRITERS: dict[str, Callable[[Classifier, torch.Tensor, Path], None]] = {
    "onnx": _write_onnx,
    "torch_export": _write_torch_export,
    "torchscript": _write_torchscript,
}
_OPENERS: dict[str, Callable[[Path], Run]] = {
    "onnx": _open_onnx,
    "torch_export": _open_torch_export,
    "torchscript": lambda path: _run_module(torch.jit.load(str(path))),
}
