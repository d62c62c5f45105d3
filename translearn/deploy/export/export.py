"""An export from beginning to end: the file, its check against the network, its size and speed, its description."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import translearn
from translearn.deploy.bulk import decoded_blocks
from translearn.deploy.export.comparison import Comparison, compare, latencies_ms, total
from translearn.deploy.export.formats import INPUT, OUTPUT, Run, opened, write
from translearn.deploy.export.request import ExportRequest
from translearn.deploy.model import Model, load_model
from translearn.errors import InputError, TranslearnError, fault
from translearn.storage.whole_file import whole_file

#: Of a probability: float32 in another order of additions stays far below.
TOLERANCE = 1e-3
#: The sizes of batches whose speed is measured.
BATCHES = (1, 32)
#: Passes the parts of a comparison through, and shows how far it is; takes how many images there are.
Follow = Callable[[Iterable[Comparison], int], Iterable[Comparison]]


@dataclass(frozen=True)
class Exported:
    """An exported file.

    Attributes:
        address: Where it is.
        num_bytes: Its size.
        comparison: With the network.
        latency_ms: Median milliseconds an image by the size of a batch, of the ``file`` and of the ``network`` in
            PyTorch.
    """

    address: str
    num_bytes: int
    comparison: Comparison
    latency_ms: dict[int, dict[str, float]]


def export(request: ExportRequest, follow: Follow = lambda parts, _: parts) -> Exported:
    """Write a model to a file, check it, and describe it in ``FILE.json``.

    Args:
        request: As it was checked.
        follow: Shows the progress of the check.

    Raises:
        InputError: No image to check the file on can be read.
        TranslearnError: The file does not decide as the network; it is not kept.
        StorageError: It cannot be written.
    """
    model = load_model(request.folder.uri, device="cpu")
    folder, name = request.out
    with whole_file(folder, name) as path, tempfile.TemporaryDirectory() as place:
        plain = Path(place) / "plain.onnx" if request.int8 else path
        write(model.classifier, model.image_size, request.kind, plain)
        run = opened(request.kind, plain)
        comparison = _checked(request, total(follow(_compared(request, model, run), len(request.samples.checked))))
        if request.int8:
            run, comparison = _quantised(request, model, (plain, path), follow)
        exported = Exported(folder.address(name), path.stat().st_size, comparison, _latencies(model, run))
    folder.write_json(f"{name}.json", _description(request, exported))
    return exported


def _quantised(
    request: ExportRequest, model: Model, paths: tuple[Path, Path], follow: Follow
) -> tuple[Run, Comparison]:
    from translearn.deploy.export.int8 import quantise

    assert request.int8 is not None
    quantise(*paths, request.int8, (pixels for pixels, _ in _good(request, model, request.samples.calibration)))
    run = opened(request.kind, paths[1])
    return run, total(follow(_compared(request, model, run), len(request.samples.checked)))


def _good(request: ExportRequest, model: Model, listing: pa.Table) -> Iterator[tuple[np.ndarray, list[str | None]]]:
    """Yield the images that can be read, uint8 (N, S, S, 3), and their labels, some at a time."""
    for rows, images in decoded_blocks(model, request.samples.reader, listing):
        good = [index for index, image in enumerate(images) if not isinstance(image, str)]
        if good:
            yield np.stack([np.asarray(images[index]) for index in good]), rows["label"].take(good).to_pylist()


def _compared(request: ExportRequest, model: Model, run: Run) -> Iterator[Comparison]:
    index = {name: number for number, name in enumerate(request.info.classes)}
    for pixels, labels in _good(request, model, request.samples.checked):
        known = [index[label] for label in labels if label in index]
        yield compare(model.probabilities(pixels), run(pixels), known if len(known) == len(labels) else None)


def _checked(request: ExportRequest, comparison: Comparison) -> Comparison:
    """Return a comparison. Raises where it shows that the file is not the network."""
    if not comparison.num:
        rule = "must name images that can be read"
        raise InputError(fault("--check", rule, f"none among {len(request.samples.checked)}", "Name others."))
    if comparison.changed or not comparison.largest <= TOLERANCE:
        folder, name = request.out
        rule = f"must decide as the network, with probabilities within {TOLERANCE}"
        got = f"another class for {comparison.changed} of {comparison.num} images, and a difference of "
        remedy = "The file was not kept. Try another --format."
        raise TranslearnError(fault(folder.address(name), rule, f"{got}{comparison.largest:.2g}", remedy))
    return comparison


def _latencies(model: Model, run: Run) -> dict[int, dict[str, float]]:
    size, runs = model.image_size, {"file": run, "network": model.probabilities}
    pixels = np.random.default_rng(0).integers(0, 256, (max(BATCHES), size, size, 3), dtype=np.uint8)
    return {num: latencies_ms(runs, pixels[:num]) for num in BATCHES}


def _description(request: ExportRequest, exported: Exported) -> dict[str, Any]:
    """Return all that using the file needs, as JSON."""
    size, given = request.info.preprocessing.image_size, request.info.preprocessing
    inside = "The file does the last steps of preprocessing itself: dividing by 255, subtracting mean, dividing by std."
    return {
        "translearn": translearn.__version__,
        "format": request.kind,
        "int8": request.int8,
        "arch": request.info.arch,
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "shape": ["N", 3, size, size],
            "channels": given.channels,
            "words": f"Images after resizing. {inside}",
        },
        "output": {
            "name": OUTPUT,
            "dtype": "float32",
            "shape": ["N", len(request.info.classes)],
            "words": "Class probabilities, calibrated with the temperature that the study fitted.",
        },
        "classes": list(request.info.classes),
        "preprocessing": given.model_dump(mode="json"),
        "check": {"images": request.samples.of, **asdict(exported.comparison)},
    }
