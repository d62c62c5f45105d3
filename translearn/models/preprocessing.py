"""Description of the conversion of an image file to a network's input, as ``model.json`` has it. Free of torch."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

Channels = tuple[float, float, float]


class Normalisation(NamedTuple):
    """What is subtracted from each of R, G, B, in [0, 1], and the divisor after that: the network's first step."""

    mean: Channels
    std: Channels


#: The channel statistics of ImageNet.
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Preprocessing(BaseModel):
    """Conversion of an image file to the network's input: fields for programs, and the same in words.

    Attributes:
        image_size: S, the side of the square input, pixels.
        mean: Subtracted from each of R, G, B, in [0, 1].
        std: The divisor of each of R, G, B after that.
        formats: Names, as Pillow has them, of the formats that are read; the bytes of a file tell its format.
        max_pixels: The most pixels (width times height) of an image; None for the usual limit.
        frame: Which frame of a file with several.
        exif_orientation: The image is turned upright first.
        white: The value of pixels of more than 8 bits that becomes white, 255; 65535 where all 16 bits are used.
        background: R, G and B behind transparent pixels.
        jpeg_scaling: A JPEG file may be decoded at 1/2, 1/4 or 1/8 of its size as long as the shorter side keeps this
            multiple of ``image_size``.
        crop: What of the image is used; it is cut out before resizing.
        interpolation: The filter that resizes the crop to S x S.
        antialias: The filter is widened where the image shrinks.
        rounding: Of resized pixels.
        channels: Their order.
        layout: Of the input: images, channels, rows, columns.
        divisor: Of the pixels, before ``mean`` and ``std``.
        dtype: Of the input.
        steps: The same in words, in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    image_size: int
    mean: Channels
    std: Channels
    formats: tuple[str, ...] = ()
    max_pixels: int | None = None
    frame: Literal["first"] = "first"
    exif_orientation: Literal[True] = True
    white: int = 65535
    background: tuple[int, int, int] = (255, 255, 255)
    jpeg_scaling: int = 3
    crop: Literal["central square"] = "central square"
    interpolation: Literal["bilinear"] = "bilinear"
    antialias: Literal[True] = True
    rounding: Literal["nearest uint8"] = "nearest uint8"
    channels: Literal["RGB"] = "RGB"
    layout: Literal["NCHW"] = "NCHW"
    divisor: Literal[255] = 255
    dtype: Literal["float32"] = "float32"
    steps: tuple[str, ...] = ()

    @property
    def normalisation(self) -> Normalisation:
        """The mean and the std of each channel."""
        return Normalisation(self.mean, self.std)


def normalised_by(given: Preprocessing, normalisation: Normalisation) -> Preprocessing:
    """Return the same description with another mean and std."""
    return with_steps(given.model_copy(update=normalisation._asdict()))


def with_steps(given: Preprocessing) -> Preprocessing:
    """Return the same description with ``steps`` written out from its fields."""
    size, least = given.image_size, given.jpeg_scaling * given.image_size
    steps = (
        f"Read the file, one of {', '.join(given.formats)}, as its bytes and not its name say; of several frames the "
        f"first. An image of more than {given.max_pixels} pixels is refused. Colour profiles are ignored.",
        f"A JPEG file may be decoded by libjpeg's scaling at 1/8, 1/4 or 1/2 of its size, the smallest whose sides are "
        f"at least {least} pixels; decoding it whole instead changes pixels by a few levels of 255 at most.",
        "Turn the image upright by its EXIF orientation.",
        f"Grey of more than 8 bits: clip to 0..{given.white}, multiply by 255, divide by {given.white}, round down, "
        f"and repeat the value for R, G and B. Colours of 16 bits, and grey with alpha: {_colours(given.white)}.",
        f"Transparency, of a palette or one value too: composite over the opaque colour {given.background}. All else: "
        "convert to RGB of 8 bits.",
        "Cut out the central square whose side is the shorter side of the image; its corner may lie between pixels.",
        f"Resize the square to {size} x {size} pixels, bilinear with antialiasing (Pillow's BILINEAR; torchvision's "
        "antialias=True), and round to the nearest uint8.",
        f"Divide by 255 as float32, subtract mean {given.mean} and divide by std {given.std}, in the order R, G, B.",
        f"The input is float32 of shape (N, 3, {size}, {size}).",
    )
    return given.model_copy(update={"steps": steps})


def _colours(white: int) -> str:
    if white == 65535:
        return "keep the upper 8"
    return "the same for each, and for alpha; by 65535 for one that has larger values"
