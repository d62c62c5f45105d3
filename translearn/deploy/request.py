"""A request for predictions, checked whole before anything expensive: free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from translearn.data.formats.reader import Reader
from translearn.data.formats.source import IMAGES, open_images
from translearn.deploy.new_file import new_file
from translearn.deploy.output import WRITERS
from translearn.deploy.predictions import schema
from translearn.errors import InputError, collected, fault
from translearn.models.model_info import ModelInfo, find_model, read_info
from translearn.storage.folder import Folder


@dataclass(frozen=True)
class Request:
    """What is to be predicted, by which model, and where to.

    Attributes:
        folder: The model directory.
        info: The model's description.
        reader: Reads an image's bytes by its key.
        listing: The images, of schema ``LISTING``.
        out: The folder and the name of the file of predictions.
        top: As for ``predictions.schema``.
    """

    folder: Folder
    info: ModelInfo
    reader: Reader
    listing: pa.Table
    out: tuple[Folder, str]
    top: int | None


def check_request(
    model: str, sources: Sequence[str], out: str, top: int | None = None, overwrite: bool = False
) -> Request:
    """Check a request.

    Args:
        model: A model directory, or a study's.
        sources: ``formats.source.IMAGES``: one, or several image files.
        out: The file to write, local or an address; its ending tells its format.
        top: The number of classes in a row; None for every class.
        overwrite: Whether the file may exist.

    Raises:
        InputError: With every fault.
        StorageError: A storage cannot be reached.
    """
    faults: list[str] = []
    described = collected(faults, lambda: _described(model))
    images = collected(faults, lambda: _images(sources))
    place = collected(faults, lambda: new_file(out, WRITERS, overwrite, "predictions.csv"))
    if described and top is not None:
        collected(faults, lambda: schema(described[1].classes, top))
    if faults or not (described and images and place):
        raise InputError("\n".join(faults))
    return Request(*described, *images, place, top)


def _described(model: str) -> tuple[Folder, ModelInfo]:
    folder = find_model(model)
    return folder, read_info(folder)


def _images(sources: Sequence[str]) -> tuple[Reader, pa.Table]:
    reader = open_images(sources)
    listing = reader.listing()
    if not len(listing):
        raise InputError(fault(sources[0], f"must be {IMAGES}", "no image in it", ""))
    return reader, listing
