"""A model directory as a thing to use: ``load_model(path).predict(images)``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image

from translearn.data.formats.files import read_file
from translearn.data.images.decode import decode_image, num_threads, square
from translearn.data.images.large import MAX_PIXELS
from translearn.data.images.pixels import Decoding, reason, upright_rgb
from translearn.deploy.classifier import Classifier
from translearn.deploy.predictions import Predictions
from translearn.errors import InputError, fault, raise_faults
from translearn.models import model_dir
from translearn.models.load import load_source
from translearn.models.model_info import ModelInfo, find_model
from translearn.models.network import Network, build
from translearn.models.weights import State

#: An image: a path or an address, encoded bytes, a Pillow image, or an array: uint8, shape (H, W) or (H, W, 3 or 4).
ImageLike = str | os.PathLike[str] | bytes | Image.Image | np.ndarray
_ONE = (str, os.PathLike, bytes, Image.Image, np.ndarray)
#: Images a forward pass, by the kind of device: on a CPU more take memory, and no less time.
_BATCH_SIZES = {"cpu": 64, "cuda": 256}


class Model:
    """A trained model in use.

    Attributes:
        info: The description in its ``model.json``.
        network: The network in eval mode: from normalised images, float32 (N, 3, S, S), to logits (N, C).
        classifier: The network with the arithmetic of its preprocessing and its temperature: from uint8 images
            (N, 3, S, S) to class probabilities.
    """

    def __init__(self, network: Network, info: ModelInfo) -> None:
        """Take over a network and put it into eval mode."""
        self.info, self.network = info, network
        given = info.preprocessing
        self.classifier = Classifier(network.model, given.mean, given.std, info.temperature).eval()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the C classes, in the order of the logits."""
        return self.info.classes

    @property
    def image_size(self) -> int:
        """S, the side of the network's input, in pixels."""
        return self.info.preprocessing.image_size

    @property
    def decoding(self) -> Decoding:
        """The decoding of images, as of those that the model was trained on."""
        return Decoding(self.info.preprocessing.max_pixels or MAX_PIXELS, self.info.preprocessing.white)

    @property
    def batch_size(self) -> int:
        """The most images of a forward pass."""
        return _BATCH_SIZES.get(next(self.network.parameters()).device.type, 64)

    def preprocess(self, image: ImageLike) -> np.ndarray:
        """Decode and resize an image as evaluation does.

        Args:
            image: A path or an address (``s3://``), encoded bytes, a Pillow image, or an array: uint8 of shape (H, W),
                (H, W, 3) or (H, W, 4), or uint16 (H, W). A Pillow image and an array count with the pixels they have;
                of a large JPEG file evaluation, and so this method, decodes fewer, of one of 16-bit colours it reads
                all bits.

        Returns:
            uint8, shape (S, S, 3), R, G, B.

        Raises:
            InputError: It is no image, or cannot be read.
        """
        return self._preprocessed_one(image, _named(image, "image"))

    def predict(self, images: ImageLike | Sequence[ImageLike]) -> Predictions:
        """Return the predictions for one image or several; see ``preprocess``.

        Raises:
            InputError: Images cannot be read; names every one.
        """
        listed = [images] if isinstance(images, _ONE) else list(images)
        ids = tuple(_named(image, f"images[{index}]") for index, image in enumerate(listed))
        parts = [self.probabilities(block) for block in self._preprocessed(listed, ids)]
        probabilities_NC = np.concatenate([np.empty((0, len(self.classes)), np.float32), *parts])
        return Predictions(self.classes, probabilities_NC, ids)

    def decoded(self, content: bytes | str) -> np.ndarray | str:
        """Return the preprocessed image of encoded bytes, or the reason why there is none, which may be given."""
        if isinstance(content, str):
            return content
        try:
            return self._squared(content)
        except Exception as error:  # decoders raise anything on a damaged file
            return reason(error)

    def probabilities(self, images_NSSC: np.ndarray) -> np.ndarray:
        """Return the class probabilities, float32 (N, C), of preprocessed images, uint8 (N, S, S, 3)."""
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            images_NCSS = torch.from_numpy(images_NSSC).to(device).permute(0, 3, 1, 2)
            return np.asarray(self.classifier(images_NCSS).cpu().numpy())

    def _preprocessed(self, images: list[ImageLike], ids: Sequence[str]) -> Iterator[np.ndarray]:
        """Yield the preprocessed images a batch at a time; raise InputError at the end where some cannot be read."""
        faults: list[str] = []
        with ThreadPoolExecutor(num_threads()) as pool:
            for first in range(0, len(images), self.batch_size):
                rows = slice(first, first + self.batch_size)
                block = list(pool.map(self._or_fault, images[rows], ids[rows]))
                faults += [found for found in block if isinstance(found, str)]
                if not faults:
                    yield np.stack(block)
        raise_faults(faults)

    def _or_fault(self, image: ImageLike, where: str) -> np.ndarray | str:
        try:
            return self._preprocessed_one(image, where)
        except InputError as error:
            return str(error)

    def _preprocessed_one(self, image: ImageLike, where: str) -> np.ndarray:
        if isinstance(image, np.ndarray):
            raise_faults(_array_faults(image, where))
        try:
            return self._squared(image)
        except Exception as error:  # decoders raise anything on a damaged file
            raise InputError(
                fault(where, "must be an image that can be read", f"one that {reason(error)}", "")
            ) from error

    def _squared(self, image: ImageLike) -> np.ndarray:
        if isinstance(image, str | os.PathLike):
            image = _content(image)
        if isinstance(image, bytes):
            return decode_image(image, self.image_size, self.decoding)
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        return square(upright_rgb(image, self.decoding.white), self.image_size)


def load_model(path: str | os.PathLike[str], device: str = "auto") -> Model:
    """Load a trained model to use it.

    Args:
        path: A study's ``model/``, the study's directory itself, or another model directory; local or an address.
        device: Of torch; ``auto`` is ``cuda`` where there is a GPU, else ``cpu``.

    Raises:
        WeightsError: There is no finished model, or its files are damaged.
    """
    return build_model(*model_dir.load_model(find_model(path)), device)


def build_model(state: State, info: ModelInfo, device: str = "auto") -> Model:
    """Build the model of tensors and their description; see ``load_model``. Raises WeightsError where they differ."""
    network = build(info.arch, len(info.classes), seed=0, image_size=info.preprocessing.image_size)
    load_source(network, state, keep_head=True, where=info.arch)
    network.normalisation = info.preprocessing.normalisation
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    return Model(network.to(chosen), info)


def _content(path: str | os.PathLike[str]) -> bytes:
    found = read_file(path)
    if isinstance(found, str):
        raise ValueError(found)
    return found


def _array_faults(pixels: np.ndarray, where: str) -> list[str]:
    grey, coloured = pixels.ndim == 2, pixels.ndim == 3 and pixels.shape[2] in (3, 4)
    if pixels.size and ((pixels.dtype == np.uint8 and (grey or coloured)) or (pixels.dtype == np.uint16 and grey)):
        return []
    rule = "must be uint8 of shape (H, W), (H, W, 3) or (H, W, 4), or uint16 of shape (H, W)"
    remedy = "Give a list of images, not a batch, and scale floats to 0..255."
    return [fault(where, rule, f"{pixels.dtype} {pixels.shape}", remedy)]


def _named(image: ImageLike, name: str) -> str:
    """Return the path of an image, or the name where it has none."""
    return os.fspath(image) if isinstance(image, str | os.PathLike) else name
