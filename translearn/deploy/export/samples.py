"""Images to check an exported model on: a study's validation images, or those that a user names. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from translearn.data.formats.reader import Reader
from translearn.data.formats.source import IMAGES, open_images, open_source
from translearn.data.manifest import MANIFEST
from translearn.errors import InputError, StorageError, fault
from translearn.storage.folder import Folder

#: The most images that a file is checked on, and the most that int8 is calibrated on.
MOST_CHECKED, MOST_CALIBRATED = 1000, 256


@dataclass(frozen=True)
class Samples:
    """The images of an export, not read yet.

    Attributes:
        reader: Reads an image's bytes by its key.
        checked: Those to compare on, of schema ``LISTING``; labels are null where they have none.
        calibration: Others, to calibrate int8 on.
        of: Where they are from, in words.
    """

    reader: Reader
    checked: pa.Table
    calibration: pa.Table
    of: str


def study_samples(model: Folder) -> Samples | None:
    """Return the validation and training images of the study that a model directory lies in; None without one."""
    for place in ((model.parent / "data" / "target").uri, _target(model.parent)):
        if place and Folder.open(place).exists(MANIFEST):
            return _of_splits(place)
    return None


def named_samples(source: str) -> Samples:
    """Return the images of a source: of an ingested data set validation's and training's, else every second one.

    Raises:
        InputError: There is no such source, or it has less than two images.
    """
    if Folder.open(source).exists(MANIFEST):
        return _of_splits(source)
    reader = open_images([source])
    listing = reader.listing()
    if len(listing) < 2:
        rule = "must name two images at least, in a folder, a table or Parquet"
        raise InputError(fault("--check", rule, f"{len(listing)} in {source}", f"It may be {IMAGES}."))
    rows = np.arange(len(listing))
    checked, calibration = listing.take(rows[::2]), listing.take(rows[1::2])
    return Samples(reader, _drawn(checked, MOST_CHECKED), _drawn(calibration, MOST_CALIBRATED), "images")


def _of_splits(dataset: str) -> Samples:
    reader = open_source(dataset)
    listing = reader.listing()
    train, val = (listing.filter(pc.equal(listing["split"], split)) for split in ("train", "val"))
    return Samples(reader, _drawn(val, MOST_CHECKED), _drawn(train, MOST_CALIBRATED), "validation images")


def _target(study: Folder) -> str | None:
    """Return the data that a study's ``spec.yaml`` names; None where there is no such file."""
    try:
        return str(yaml.safe_load(study.read_bytes("spec.yaml"))["target"]["data"])
    except (StorageError, yaml.YAMLError, KeyError, TypeError):
        return None


def _drawn(listing: pa.Table, most: int) -> pa.Table:
    """Return at most so many rows, evenly drawn, in order."""
    num = min(most, len(listing))
    return listing.take(np.linspace(0, len(listing), num, endpoint=False).astype(np.int64))
