"""Targets and sources of the benchmark ``choosing``, and the whole grid of trials of a target, trained once and kept.

The curve of a trial is the same in every search, so searches are compared on one table, as often as needed.
"""

from __future__ import annotations

import json
import os
import pickle
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from translearn.config import SCRATCH, TrainSpec
from translearn.data.images.image_set import ImageSet
from translearn.data.procedural.glyphs import draw_glyph
from translearn.data.procedural.textures import draw_texture
from translearn.errors import NonFiniteError
from translearn.models.backbones.stages import num_stages
from translearn.models.network import build
from translearn.models.sources import Source, initial_network, scratch
from translearn.models.weights import fingerprint
from translearn.seeds import example_key, generator
from translearn.training.config import TrainConfig
from translearn.training.loop import fine_tune
from translearn.training.precision import prepare_process

CACHE = Path(os.environ.get("TRANSLEARN_BENCHMARKS", Path.home() / ".cache" / "translearn-benchmarks"))
SIZE, ARCH, NUM_VAL = 32, "resnet18", 200
TRAIN = TrainSpec(batch_size=20, augment="crop")
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
EPOCHS, QUICK_EPOCHS = 9, 2

#: Source, freeze depth, learning rate.
Cell = tuple[str, int, float]
#: Validation error and processor seconds of each epoch; short if the trial diverged.
Curve = list[tuple[float, float]]
Table = dict[Cell, Curve]


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
    """Return training and validation images of a target; the seed draws them."""
    num_train, num = target.per_class * len(target.classes), target.per_class * len(target.classes) + NUM_VAL
    labels = np.arange(num) % len(target.classes)
    pixels = [_image(target.kind, target.classes[label], seed, index) for index, label in enumerate(labels)]
    images = 255 - np.stack(pixels) if target.is_inverted else np.stack(pixels)
    whole = _image_set(images, labels, f"{target.name}/{seed}")
    return whole.take(np.arange(num_train)), whole.take(np.arange(num_train, num))


def obtain_sources() -> dict[str, Source]:
    """Return scratch and three sources of different worth, which are pre-trained once and kept."""
    file = CACHE / "choosing" / "sources.pickle"
    if not file.exists():
        _keep(file, pickle.dumps(_made_sources()))
    sources: dict[str, Source] = pickle.loads(file.read_bytes())
    return sources


def _made_sources() -> dict[str, Source]:
    """Pre-train, in one thread; the last source learns labels that mean nothing."""
    prepare_process(1)
    glyphs = _drawn("glyphs", TEN, 1500)
    textures = _drawn("textures", TEN[:5], 1500)
    noise = ImageSet(textures.images, generator(0, "labels").permutation(textures.labels), textures.keys)
    return {
        "glyphs": _pretrained("glyphs", glyphs, 10, 0.02),
        "textures": _pretrained("textures", textures, 5, 0.02),
        "noise": _pretrained("noise", noise, 5, 0.3),
        SCRATCH: scratch(ARCH),
    }


def is_kept(target: Target, seed: int) -> bool:
    """Return whether the table of a target and a seed, of full length, is there."""
    return _file(target, seed, EPOCHS).exists()


def kept_table(target: Target, seed: int, sources: Mapping[str, Source], epochs: int = EPOCHS) -> Table:
    """Return the table of a target and a seed: read where it was made before, else made and kept."""
    file = _file(target, seed, epochs)
    if not file.exists():
        keep_table(file, train_grid(target, seed, sources, epochs))
    rows = json.loads(file.read_text())
    return {(name, depth, lr): [(error, seconds) for error, seconds in curve] for name, depth, lr, curve in rows}


def keep_table(file: Path, table: Table) -> None:
    """Write a table."""
    _keep(file, json.dumps([[*cell, curve] for cell, curve in table.items()]).encode())


def cells(sources: Mapping[str, Source]) -> Iterator[Cell]:
    """Yield every trial of the grid."""
    for source in sources.values():
        for depth in [0] if source.kind == "scratch" else range(num_stages(source.arch) + 1):
            yield from ((source.name, depth, lr) for lr in RATES)


def train_grid(target: Target, seed: int, sources: Mapping[str, Source], epochs: int) -> Table:
    """Train every trial, one after the other."""
    train, val = target_images(target, seed)
    table: Table = {}
    for name, depth, lr in cells(sources):
        network, _ = initial_network(sources[name], len(target.classes), seed)
        config, curve = TrainConfig(depth, lr, epochs, seed, TRAIN), table.setdefault((name, depth, lr), [])
        try:
            started = time.process_time()
            for result in fine_tune(network, train, val, config):
                curve.append((result.val_error, time.process_time() - started))
                started = time.process_time()
        except NonFiniteError:
            continue
    return table


def _file(target: Target, seed: int, epochs: int) -> Path:
    return CACHE / "choosing" / f"{target.name}-{seed}-{epochs}.json"


def _keep(file: Path, content: bytes) -> None:
    """Write a file, which is whole or not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(content)
    part.replace(file)


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
    """Return a scanned digit; the images of a class come in an order that the seed draws, and none comes twice."""
    images, labels = load_digits(return_X_y=True)
    rows = generator(seed, "digits", label).permutation(np.flatnonzero(labels == label))
    pixels = np.round(images[rows[index // 5]].reshape(8, 8) * (255 / 16)).astype(np.uint8)
    return np.asarray(Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def _rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)


def _image_set(images: np.ndarray, labels: np.ndarray, name: str) -> ImageSet:
    keys = np.array([example_key(f"{name}/{index}") for index in range(len(labels))], dtype=np.uint64)
    return ImageSet(np.ascontiguousarray(images), labels.astype(np.int64), keys)
