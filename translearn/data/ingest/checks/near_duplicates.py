"""Images that are nearly the same: found by a perceptual hash, confirmed on small grey copies.

Mirrored or cropped copies are not found; see docs/evaluation.md for what is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

#: Side of the images that are hashed, in pixels, and of the small copies.
SIZE, SMALL = 32, 16
#: Most differing bits of the hash's 63, and least correlation of the small copies, of a pair.
MAX_BITS, MIN_CORRELATION = 10, 0.98
_FREQUENCIES = 8
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_BLOCK_PAIRS, _BLOCK_CANDIDATES = 1 << 22, 1 << 15


@dataclass(frozen=True, eq=False)
class Prints:
    """Fingerprints that identify near duplicates.

    Attributes:
        hashes: uint64, shape (N,).
        copies: uint8, shape (N, 256): grey copies of 16 x 16 pixels.
    """

    hashes: np.ndarray
    copies: np.ndarray


def prints(blocks: Iterable[np.ndarray]) -> Prints:
    """Compute the prints of images.

    Args:
        blocks: uint8 arrays, shape (n, 32, 32, 3), n at least 1.

    Source: the hash is that of Zauner 2010, "Implementation and benchmarking of perceptual image hash functions": which
    of the 8 x 8 lowest frequencies, but the mean, are above their median.
    """
    found = [_prints(images) for images in blocks]
    return Prints(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def near_duplicates(ours: Prints, theirs: Prints) -> np.ndarray:
    """Return the pairs of images that are nearly the same: int64, shape (P, 2), rows of both, in order.

    Images of one colour have no near duplicates. Takes time with the product of the sizes, and little memory.
    """
    found = [pairs[_correlation(ours, theirs, pairs) >= MIN_CORRELATION] for pairs in _candidates(ours, theirs)]
    return np.concatenate([np.empty((0, 2), dtype=np.int64), *found])


def _prints(images_NSSC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    grey_NSS = images_NSSC.astype(np.float32) @ _LUMA
    from scipy.fft import dctn  # a look at local files imports this module, and needs none of it

    waves = dctn(grey_NSS, axes=(1, 2))[:, :_FREQUENCIES, :_FREQUENCIES].reshape(len(grey_NSS), -1)
    bits = np.zeros(waves.shape, dtype=bool)
    bits[:, 1:] = waves[:, 1:] > np.median(waves[:, 1:], axis=1, keepdims=True)
    step = SIZE // SMALL
    copies = grey_NSS.reshape(-1, SMALL, step, SMALL, step).mean((2, 4)).round().astype(np.uint8)
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0], copies.reshape(len(copies), -1)


def _candidates(ours: Prints, theirs: Prints) -> Iterator[np.ndarray]:
    """Yield pairs with similar hashes, a block at a time."""
    step = max(1, _BLOCK_PAIRS // max(1, len(theirs.hashes)))
    for first in range(0, len(ours.hashes), step):
        differing = np.bitwise_count(ours.hashes[first : first + step, None] ^ theirs.hashes)
        pairs = np.argwhere(differing <= MAX_BITS) + np.array([first, 0])
        yield from np.split(pairs, range(_BLOCK_CANDIDATES, len(pairs), _BLOCK_CANDIDATES))


def _correlation(ours: Prints, theirs: Prints, pairs: np.ndarray) -> np.ndarray:
    """Return the correlation of each pair's small copies, float32 in [-1, 1]; 0 where one has a single colour."""
    left, right = standard(ours.copies[pairs[:, 0]]), standard(theirs.copies[pairs[:, 1]])
    return np.asarray((left * right).sum(axis=1))


def standard(copies: np.ndarray) -> np.ndarray:
    """Return small copies, uint8 of shape (N, D), as float32 of mean 0 and length 1; zeros where all is one colour."""
    x = copies.astype(np.float32)
    x -= x.mean(axis=1, keepdims=True)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.where(length > 0, length, 1.0))
