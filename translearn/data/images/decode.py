"""Decoding of a split: the selection of images, the decoding of one, and of all shard by shard."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import PIL
import pyarrow as pa
from PIL import Image, ImageOps

from translearn.data.dataset import Dataset
from translearn.data.images.image_set import ImageSet
from translearn.data.images.pixels import USUAL, Decoding, loaded_rgb, opened
from translearn.data.ingest.carve import example_keys
from translearn.errors import DataError, fault
from translearn.machine import allowed_cpus
from translearn.seeds import generator

_MAX_THREADS = 8
_BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Selection:
    """The images of a split that are used, in the data set's order, not decoded yet.

    Attributes:
        dataset: An ingested data set.
        split: train, val or test.
        image_size: The side to which they are decoded, in pixels.
        rows: int64, shape (N,): their rows in the split, ascending.
        labels: int64, shape (N,).
        keys: uint64, shape (N,), as an ``ImageSet`` has them.
    """

    dataset: Dataset
    split: str
    image_size: int
    rows: np.ndarray
    labels: np.ndarray
    keys: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the decoded images: (N, S, S, 3)."""
        return (len(self.rows), self.image_size, self.image_size, 3)

    @property
    def nbytes(self) -> int:
        """Return the bytes of the decoded images."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def decoding(self) -> Decoding:
        """The decoding of the data set's images."""
        return self.dataset.decoding

    def per_shard(self) -> list[np.ndarray]:
        """Return the selected rows of each of the split's shards, counted from the shard's first."""
        ends = np.cumsum([shard.rows for shard in self.dataset.shards(self.split)])
        parts = np.split(self.rows, np.searchsorted(self.rows, ends)[:-1])
        return [part - start for part, start in zip(parts, [0, *ends[:-1]], strict=True)]

    def fingerprint(self) -> str:
        """Return the SHA-256, in hex, of all that the decoded bits depend on: files, rows, size and decoder."""
        shards = [shard.sha256 for shard in self.dataset.shards(self.split)]
        facts = f"{shards} {self.image_size} {self.decoding} {PIL.__version__}"
        return hashlib.sha256(facts.encode() + self.rows.tobytes()).hexdigest()


def select_split(
    dataset: Dataset, split: str, image_size: int, per_class: int | None = None, seed: int = 0
) -> Selection:
    """Select images of a split; reads ids and labels only.

    Args:
        dataset: An ingested data set.
        split: train, val or test.
        image_size: The side to which they are decoded, in pixels; see ``decode_image``.
        per_class: At most so many images of each class, drawn at random: a smaller number draws a
            subset of a larger one's. None for all.
        seed: Seeds the draw.

    Raises:
        DataError: There is no such split.
    """
    if not dataset.num_examples(split):
        rule = f"must have images in the split {split!r}"
        raise DataError(fault(dataset.folder.uri, rule, list(dataset.manifest.counts), "Ingest the data set again."))
    table = pa.concat_tables(dataset.tables(split, columns=["id", "label"]))
    labels = table["label"].to_numpy().astype(np.int64)
    rows = np.arange(len(labels)) if per_class is None else _drawn(labels, split, per_class, seed)
    ids = table["id"].take(pa.array(rows)).to_pylist()
    return Selection(dataset, split, image_size, rows, labels[rows], example_keys(ids))


def decode_split(
    dataset: Dataset, split: str, image_size: int, per_class: int | None = None, seed: int = 0
) -> ImageSet:
    """Decode the images of a split into this process's memory; see ``select_split``.

    Raises:
        DataError: There is no such split, or a shard is damaged.
    """
    selection = select_split(dataset, split, image_size, per_class, seed)
    images, done = np.empty(selection.shape, dtype=np.uint8), 0
    for part in decoded(selection):
        images[done : done + len(part)] = part
        done += len(part)
    return ImageSet(images, selection.labels, selection.keys)


def num_threads() -> int:
    """Return the number of decoding threads: this process's share of its node, at most 8.

    OMP_NUM_THREADS gives the share: Ray sets it to a task's CPUs, ``precision.prepare_process`` to a worker's.
    Where it is not set, the share is the cores that this process may use.
    """
    share = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return max(1, min(_MAX_THREADS, int(share) if share.isdigit() else allowed_cpus()))


def decoded(selection: Selection, shards: slice = slice(None), threads: int | None = None) -> Iterator[np.ndarray]:
    """Yield the decoded images, an array of at most 64 MiB at a time.

    Args:
        selection: The images.
        shards: The shards to decode, as positions in the split's.
        threads: The number of decoding threads; ``num_threads`` when None.

    Raises:
        DataError: A shard is damaged.
    """
    dataset, step = selection.dataset, max(1, _BLOCK_BYTES // (3 * selection.image_size**2))
    for shard, rows in zip(dataset.shards(selection.split)[shards], selection.per_shard()[shards], strict=True):
        if len(rows):
            contents = dataset.table(shard)["image"].take(pa.array(rows))
            for first in range(0, len(rows), step):
                block = contents.slice(first, step).to_pylist()
                yield decode_images(block, selection.image_size, selection.decoding, threads)


def decode_images(
    contents: list[bytes], image_size: int, decoding: Decoding = USUAL, threads: int | None = None
) -> np.ndarray:
    """Decode several images in parallel, as ``decode_image`` does: uint8, shape (N, S, S, 3)."""
    images = np.empty((len(contents), image_size, image_size, 3), dtype=np.uint8)
    with ThreadPoolExecutor(threads or num_threads()) as pool:
        for row, image in enumerate(pool.map(lambda content: decode_image(content, image_size, decoding), contents)):
            images[row] = image
    return images


def decode_image(content: bytes, image_size: int, decoding: Decoding = USUAL) -> np.ndarray:
    """Decode an image to a square: its short side scaled to ``image_size``, then cropped at the centre.

    Args:
        content: An encoded image.
        image_size: The side of the result, in pixels.
        decoding: Of the image's data set; ValueError beyond its ``max_pixels``.

    Returns:
        uint8, shape (image_size, image_size, 3), RGB; bilinear with antialiasing.
    """
    # Three times the size that is needed is indistinguishable from the whole: Pillow's advice for drafts.
    with opened(content, decoding.max_pixels) as image:
        return square(loaded_rgb(image, content, decoding.white, draft_size=3 * image_size), image_size)


def square(image: Image.Image, image_size: int) -> np.ndarray:
    """Return the central square of an RGB image, resized: uint8, shape (image_size, image_size, 3)."""
    return np.asarray(ImageOps.fit(image, (image_size, image_size), Image.Resampling.BILINEAR))


def _drawn(labels: np.ndarray, split: str, per_class: int, seed: int) -> np.ndarray:
    """Return the sorted rows of at most ``per_class`` images of each class."""
    drawn = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        drawn.append(generator(seed, "per_class", split, label).permutation(rows)[:per_class])
    return np.sort(np.concatenate(drawn))
