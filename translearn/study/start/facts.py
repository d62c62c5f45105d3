"""The facts that the choices of a first study follow from: its images, and whether there is a GPU."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from PIL import Image

from translearn.data.ingest.plan import IngestPlan, plan_ingest

_LOOKED_AT = 64  # images


@dataclass(frozen=True)
class Facts:
    """A source of images, and the machine.

    Attributes:
        source: The images, as the user named them.
        num_images: Their number.
        num_classes: The number of their classes.
        num_train: The number of training images.
        side: The median of the shorter sides of some images, in pixels; None where none of them can be read.
        has_gpu: Whether this machine has a GPU of NVIDIA's.
    """

    source: str
    num_images: int
    num_classes: int
    num_train: int
    side: int | None
    has_gpu: bool

    @property
    def image_size(self) -> int:
        """Pixels a side: whole 32s, as many as the images have, at least 64 and at most 128, with a GPU 224."""
        most = 224 if self.has_gpu else 128
        return most if self.side is None else min(most, max(64, 32 * -(-self.side // 32)))


def facts_of(source: str) -> Facts:
    """Return the facts of a source of images. Raises DataError where it is none, with every fault."""
    plan = plan_ingest(source)
    num_train = pc.sum(pc.equal(plan.listing["split"], "train")).as_py()
    return Facts(source, len(plan.listing), len(plan.classes), num_train, _side(plan), has_gpu())


def has_gpu() -> bool:
    """Return whether this machine has a GPU of NVIDIA's, as its driver says."""
    return any(Path("/dev").glob("nvidia[0-9]*"))


def _side(plan: IngestPlan) -> int | None:
    rows = np.unique(np.linspace(0, len(plan.listing) - 1, _LOOKED_AT).astype(int))
    contents = plan.reader.read(plan.listing["key"].take(rows).to_pylist())
    sides = [side for content in contents if (side := _shorter_side(content))]
    return int(np.median(sides)) if sides else None


def _shorter_side(content: bytes | str) -> int | None:
    """Return it from the image's header; None where it cannot be read, which ingest will tell of."""
    if isinstance(content, str):
        return None
    try:
        with Image.open(io.BytesIO(content)) as image:
            return min(image.size)
    except Exception:  # Pillow raises nearly anything on damaged files
        return None
