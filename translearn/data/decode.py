"""A split of a data set to pixels in memory, once: what every trial then reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from PIL import Image, ImageOps

from translearn.data.carve import example_keys
from translearn.data.dataset import Dataset
from translearn.data.image_set import ImageSet
from translearn.data.pixels import MAX_PIXELS, open_rgb
from translearn.errors import DataError, fault
from translearn.seeds import generator


def decode_split(
    dataset: Dataset, split: str, image_size: int, per_class: int | None = None, seed: int = 0
) -> ImageSet:
    """Decodes the images of a split to one size, in the data set's order.

    Args:
        dataset: An ingested data set.
        split: train, val or test.
        image_size: The side of the result, in pixels; see ``decode_image``.
        per_class: At most so many images of each class, drawn at random: a smaller number draws a
            subset of a larger one's. None for all.
        seed: What they are drawn from.

    Raises:
        DataError: There is no such split, or a shard is damaged.
    """
    total = dataset.num_examples(split)
    if not total:
        rule = f"must have images in the split {split!r}"
        raise DataError(fault(dataset.folder.uri, rule, list(dataset.manifest.counts), "Ingest the data set again."))
    rows = np.arange(total) if per_class is None else _drawn(dataset, split, per_class, seed)
    images = np.empty((len(rows), image_size, image_size, 3), dtype=np.uint8)
    max_pixels = int(dataset.manifest.options.get("max_pixels", MAX_PIXELS))
    ids, labels, done = [], [], 0
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for table in _tables_of(dataset, split, rows):
            contents = table["image"].to_pylist()
            for image in pool.map(lambda content: decode_image(content, image_size, max_pixels), contents):
                images[done] = image
                done += 1
            ids += table["id"].to_pylist()
            labels += table["label"].to_pylist()
    return ImageSet(images, np.array(labels, dtype=np.int64), example_keys(ids))


def decode_image(content: bytes, image_size: int, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """An encoded image to pixels of one size: short side scaled to ``image_size``, centre square.

    Args:
        content: An encoded image.
        image_size: The side of the result, in pixels.
        max_pixels: The most pixels that are decoded; ValueError beyond.

    Returns:
        uint8, shape (image_size, image_size, 3), RGB; bilinear with antialiasing.
    """
    # Three times the size that is needed is indistinguishable from the whole: Pillow's advice for drafts.
    image = open_rgb(content, max_pixels, draft_size=3 * image_size)
    return np.asarray(ImageOps.fit(image, (image_size, image_size), Image.Resampling.BILINEAR))


def _drawn(dataset: Dataset, split: str, per_class: int, seed: int) -> np.ndarray:
    """The sorted rows of at most ``per_class`` images of each class."""
    tables = list(dataset.tables(split, columns=["label"]))
    labels = pa.concat_tables(tables)["label"].to_numpy()
    drawn = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        drawn.append(generator(seed, "per_class", split, label).permutation(rows)[:per_class])
    return np.sort(np.concatenate(drawn))


def _tables_of(dataset: Dataset, split: str, rows: np.ndarray) -> Iterator[pa.Table]:
    start = 0
    for table in dataset.tables(split):
        inside = rows[(rows >= start) & (rows < start + len(table))] - start
        start += len(table)
        yield table.take(pa.array(inside))
