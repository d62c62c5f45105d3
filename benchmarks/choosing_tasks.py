"""Targets and sources of the benchmark ``choosing``: drawn here, and pre-trained here in moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from translearn.config import TrainSpec
from translearn.data.images.image_set import ImageSet
from translearn.data.procedural.glyphs import draw_glyph
from translearn.data.procedural.textures import draw_texture
from translearn.models.network import build
from translearn.models.sources import Source
from translearn.models.weights import fingerprint
from translearn.seeds import example_key, generator
from translearn.training.config import TrainConfig
from translearn.training.loop import fine_tune

SIZE, ARCH, NUM_VAL = 32, "resnet18", 200
TRAIN = TrainSpec(batch_size=20, augment="crop")


@dataclass(frozen=True)
class Target:
    """A target task.

    Attributes:
        name: Its name.
        kind: ``digits`` (scanned), ``glyphs`` (printed), ``textures``.
        classes: Which of the kind's ten classes.
        per_class: Training images of each.
        is_inverted: Dark becomes light.
    """

    name: str
    kind: str
    classes: tuple[int, ...]
    per_class: int
    is_inverted: bool = False


SOURCES = ("glyphs", "textures", "noise")
TEN = tuple(range(10))
TARGETS = (
    Target("digits", "digits", TEN, 10),
    Target("digits 0-4", "digits", TEN[:5], 20),
    Target("digits 5-9", "digits", TEN[5:], 10),
    Target("glyphs, inverted", "glyphs", TEN, 10, is_inverted=True),
    Target("textures 5-9", "textures", TEN[5:], 10),
    Target("textures", "textures", TEN, 10, is_inverted=True),
)


def target_images(target: Target, seed: int) -> tuple[ImageSet, ImageSet]:
    """Training and validation images of a target, which the seed draws."""
    num_train, num = target.per_class * len(target.classes), target.per_class * len(target.classes) + NUM_VAL
    labels = np.arange(num) % len(target.classes)
    pixels = [_image(target.kind, target.classes[label], seed, index) for index, label in enumerate(labels)]
    images = 255 - np.stack(pixels) if target.is_inverted else np.stack(pixels)
    whole = _image_set(images, labels, f"{target.name}/{seed}")
    return whole.take(np.arange(num_train)), whole.take(np.arange(num_train, num))


def obtain_sources() -> dict[str, Source]:
    """Three sources, each related to some of the targets or to none; the last one learnt nothing, at a high rate."""
    glyphs = _drawn("glyphs", TEN, 1500)
    textures = _drawn("textures", TEN[:5], 1500)
    noise = ImageSet(textures.images, generator(0, "labels").permutation(textures.labels), textures.keys)
    return {
        "glyphs": _pretrained("glyphs", glyphs, 10, 0.02),
        "textures": _pretrained("textures", textures, 5, 0.02),
        "noise": _pretrained("noise", noise, 5, 0.3),
    }


def _pretrained(name: str, images: ImageSet, num_classes: int, lr: float) -> Source:
    network = build(ARCH, num_classes, 0)
    train, val = images.take(np.arange(1400)), images.take(np.arange(1400, 1500))
    settings = TRAIN.model_copy(update={"batch_size": 50})
    *_, last = fine_tune(network, train, val, TrainConfig(0, lr, 3, 0, settings))
    state = {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}
    classes = tuple(str(label) for label in range(num_classes))
    return Source(name, ARCH, "checkpoint", state, classes, last.val_error, fingerprint(state))


def _drawn(kind: str, classes: Sequence[int], num: int) -> ImageSet:
    labels = np.arange(num) % len(classes)
    # Of another seed than any target's images.
    pixels = [_image(kind, classes[label], 1000, index) for index, label in enumerate(labels)]
    return _image_set(np.stack(pixels), labels, f"source {kind}")


def _image(kind: str, label: int, seed: int, index: int) -> np.ndarray:
    if kind == "textures":
        return draw_texture(label, SIZE, seed, index)
    if kind == "glyphs":
        return _rgb(draw_glyph(label, "train", SIZE, seed, index))
    return _rgb(_digit(label, seed, index))


def _digit(label: int, seed: int, index: int) -> np.ndarray:
    """A scanned digit; the images of a class come in an order that the seed draws, and none comes twice."""
    images, labels = load_digits(return_X_y=True)
    rows = generator(seed, "digits", label).permutation(np.flatnonzero(labels == label))
    pixels = np.round(images[rows[index // 5]].reshape(8, 8) * (255 / 16)).astype(np.uint8)
    return np.asarray(Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def _rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)


def _image_set(images: np.ndarray, labels: np.ndarray, name: str) -> ImageSet:
    keys = np.array([example_key(f"{name}/{index}") for index in range(len(labels))], dtype=np.uint64)
    return ImageSet(np.ascontiguousarray(images), labels.astype(np.int64), keys)
