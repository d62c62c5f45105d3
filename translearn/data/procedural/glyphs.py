"""Printed digits in the fonts that matplotlib ships, distorted to look like small handwritten ones."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from translearn.seeds import generator

_CANVAS = 96  # pixels; the glyph is drawn large and distorted before it is made small
_DIGITS = "0123456789"
# Symbol fonts, which draw something else than digits in their places; and one of placeholders.
_SYMBOLS = ("cmex10", "cmsy10", "STIXSiz", "LastResort")
#: Font families that training never sees, so that validation and test ask for the digit, not the font.
_HELD_OUT = {"val": ("cmtt10", "DejaVuSansMono"), "test": ("cmss10", "STIXGeneral")}


def draw_glyph(label: int, split: str, size: int, seed: int, index: int) -> np.ndarray:
    """Draw a distorted printed digit, light on dark.

    Args:
        label: The digit, 0 to 9.
        split: Selects the fonts: the splits share no font family.
        size: Side of the image, in pixels.
        seed: The data set's seed.
        index: The image's number in the data set.

    Returns:
        uint8, shape (size, size), a function of the arguments alone.
    """
    rng = generator(seed, "glyph", index)
    names = fonts()[split]
    glyph = _print(names[rng.integers(len(names))], label, int(rng.integers(1, 6)))
    glyph = _distort(glyph, rng).filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 3.0)))
    # scikit-learn's digits have 8 x 8 pixels: most images pass through a grid as coarse.
    grid = int(rng.integers(8, 13))
    coarse = ImageOps.autocontrast(glyph.resize((grid, grid), Image.Resampling.BOX)).resize(
        (size, size), Image.Resampling.BILINEAR
    )
    pixels = np.asarray(coarse, dtype=np.float64) * rng.uniform(0.8, 1.2) + rng.normal(
        0, rng.uniform(0, 8), (size, size)
    )
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)


@functools.cache
def fonts() -> dict[str, tuple[str, ...]]:
    """Return the font names of each split: those of matplotlib's fonts that have ten different digits."""
    names = [path.stem for path in sorted(_folder().glob("*.ttf"))]
    usable = [name for name in names if not name.startswith(_SYMBOLS) and _has_digits(name)]
    held_out = {
        split: tuple(name for name in usable if _family(name) in families) for split, families in _HELD_OUT.items()
    }
    seen = set(itertools.chain.from_iterable(held_out.values()))
    return {**held_out, "train": tuple(name for name in usable if name not in seen)}


def _family(name: str) -> str:
    return name.split("-")[0].removesuffix("Italic").removesuffix("Ita").removesuffix("Bol")


@functools.cache
def _folder() -> Path:
    import matplotlib as mpl  # imports slowly, and only this source needs it

    return Path(mpl.get_data_path()) / "fonts" / "ttf"


def _has_digits(name: str) -> bool:
    # A font without digits draws the same box for each, or nothing.
    return len({_print(name, label, 0).tobytes() for label in range(10)}) == 10


@functools.lru_cache(maxsize=2048)
def _print(name: str, label: int, stroke: int) -> Image.Image:
    """Draw a digit on a canvas, its ink stretched to a box of a digit's usual proportions."""
    font = ImageFont.truetype(str(_folder() / f"{name}.ttf"), _CANVAS)
    canvas = Image.new("L", (2 * _CANVAS, 2 * _CANVAS))
    ImageDraw.Draw(canvas).text((_CANVAS, _CANVAS), _DIGITS[label], 255, font, anchor="mm", stroke_width=stroke)
    ink = canvas.getbbox() or (0, 0, 1, 1)
    width, height = ink[2] - ink[0], ink[3] - ink[1]
    scale = 0.9 * _CANVAS / height
    digit = canvas.crop(ink).resize((max(1, min(_CANVAS, round(width * scale))), round(height * scale)))
    page = Image.new("L", (_CANVAS, _CANVAS))
    page.paste(digit, ((_CANVAS - digit.width) // 2, (_CANVAS - digit.height) // 2))
    return page


def _distort(glyph: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Rotate, shear, scale unequally and shift an image, about its centre."""
    angle, shear = rng.uniform(-0.25, 0.25), rng.uniform(-0.3, 0.3)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation @ np.array([[1, shear], [0, 1]]) @ np.diag(1 / rng.uniform((0.7, 0.95), (1.15, 1.1)))
    centre = np.full(2, _CANVAS / 2)
    offset = centre - matrix @ (centre + rng.uniform(-5, 5, 2))
    data = (*matrix[0], offset[0], *matrix[1], offset[1])
    return glyph.transform(glyph.size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
