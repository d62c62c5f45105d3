"""Ten classes of procedural textures: a source that has nothing to do with most targets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from translearn.seeds import generator

#: A pattern in [0, 1], shape (S, S), from coordinates u and v in periods, and a generator.
Pattern = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def draw_texture(label: int, size: int, seed: int, index: int) -> np.ndarray:
    """Draw a texture in two random colours, turned, scaled and shifted at random.

    Args:
        label: Position in ``TEXTURES``.
        size: Side of the image, in pixels.
        seed: The data set's seed.
        index: The image's number in the data set.

    Returns:
        uint8, shape (size, size, 3), a function of the arguments alone.
    """
    rng = generator(seed, "texture", index)
    angle, periods, shift = rng.uniform(0, np.pi), rng.uniform(2, 5), rng.uniform(0, 1, 2)
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    u = (np.cos(angle) * x - np.sin(angle) * y) * periods + shift[0]
    v = (np.sin(angle) * x + np.cos(angle) * y) * periods + shift[1]
    weight_hw1 = _PATTERNS[TEXTURES[label]](u, v, rng)[..., None]
    dark, light = rng.uniform(0, 110, 3), rng.uniform(140, 255, 3)
    pixels = dark * (1 - weight_hw1) + light * weight_hw1 + rng.normal(0, 6, (size, size, 3))
    image: np.ndarray = np.clip(np.round(pixels), 0, 255).astype(np.uint8)
    return image


def _wave(t: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 + 0.5 * np.sin(2 * np.pi * t))


def _cell_radius(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.asarray(np.hypot(u - np.floor(u) - 0.5, v - np.floor(v) - 0.5))


def _bricks(u: np.ndarray, v: np.ndarray, _: np.random.Generator) -> np.ndarray:
    along = u / 2 + 0.5 * (np.floor(v) % 2)
    return np.asarray((v % 1 > 0.15) & (along % 1 > 0.08), dtype=float)


def _spiral(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    u, v = u - u.mean(), v - v.mean()
    return _wave(np.hypot(u, v) + rng.choice((-1, 1)) * np.arctan2(v, u) / (2 * np.pi))


def _clouds(u: np.ndarray, _: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    coarse = Image.fromarray(rng.uniform(0, 1, (5, 5)).astype(np.float32))
    smooth = coarse.resize(u.shape[::-1], Image.Resampling.BICUBIC)
    return np.asarray(np.clip(np.asarray(smooth, dtype=float), 0, 1))


_PATTERNS: dict[str, Pattern] = {
    "bricks": _bricks,
    "checks": lambda u, v, _: (np.floor(u) + np.floor(v)) % 2,
    "clouds": _clouds,
    "dots": lambda u, v, _: (_cell_radius(u, v) < 0.3).astype(float),
    "grid": lambda u, v, _: ((u % 1 < 0.2) | (v % 1 < 0.2)).astype(float),
    "noise": lambda u, _, rng: rng.uniform(0, 1, u.shape),
    "rings": lambda u, v, _: _wave(np.hypot(u - u.mean(), v - v.mean()) * 1.5),
    "spirals": _spiral,
    "stripes": lambda u, _, __: _wave(u),
    "zigzags": lambda u, v, _: _wave(u + np.abs(v % 1 - 0.5)),
}
#: The classes, in order.
TEXTURES = tuple(_PATTERNS)
