"""torchvision's data sets by name, from its cache or the net."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from translearn.data.formats.reader import MAX_BYTES, distinct, listing_table
from translearn.data.images.pixels import encode_png
from translearn.errors import DataError, fault


@dataclass(frozen=True)
class _Known:
    """Differences between torchvision's classes.

    Attributes:
        splits: The constructor's arguments for each split.
        labels: The attribute that holds a label an image.
        files: The attribute that holds a file an image, where images are files.
        samples: The attribute that holds (file, label) pairs instead of the two.
    """

    splits: Mapping[str, Mapping[str, Any]]
    labels: str = ""
    files: str = ""
    samples: str = ""


_TRAIN_TEST = {"train": {"train": True}, "test": {"train": False}}
_SPLIT_2 = {name: {"split": name} for name in ("train", "test")}
_SPLIT_3 = {name: {"split": name} for name in ("train", "val", "test")}
_FAKE = {"size": 200, "image_size": (3, 32, 32)}
_FILES = {"labels": "_labels", "files": "_image_files"}

#: Data-set name to how torchvision's class of this name is used. Without a split it is carved.
KNOWN: dict[str, _Known] = {
    **{name: _Known(_TRAIN_TEST, "targets") for name in ("CIFAR10", "CIFAR100", "MNIST", "FashionMNIST", "KMNIST")},
    "SVHN": _Known(_SPLIT_2, "labels"),
    "STL10": _Known(_SPLIT_2, "labels"),
    "OxfordIIITPet": _Known({"train": {"split": "trainval"}, "test": {"split": "test"}}, "_labels", "_images"),
    "Flowers102": _Known(_SPLIT_3, **_FILES),
    "DTD": _Known(_SPLIT_3, **_FILES),
    "Food101": _Known(_SPLIT_2, **_FILES),
    "FGVCAircraft": _Known(_SPLIT_3, **_FILES),
    "EuroSAT": _Known({"train": {}}, samples="samples"),
    "Country211": _Known({**_SPLIT_2, "val": {"split": "valid"}}, samples="samples"),
    "GTSRB": _Known(_SPLIT_2, samples="_samples"),
    "RenderedSST2": _Known(_SPLIT_3, samples="_samples"),
    "Imagenette": _Known({"train": {"split": "train"}, "val": {"split": "val"}}, samples="_samples"),
    "FakeData": _Known({"train": _FAKE, "test": {**_FAKE, "random_offset": 10_000}}),
}


def default_root() -> str:
    """Return the folder of downloaded data sets: TRANSLEARN_DATA, or a folder in the user's cache."""
    return os.environ.get("TRANSLEARN_DATA") or str(Path.home() / ".cache" / "translearn")


@dataclass(frozen=True)
class TorchvisionImages:
    """A data set of ``KNOWN``; an id is ``<split>/<index>``.

    Files are passed on as they are; images that exist as arrays only are encoded as PNG.
    """

    name: str
    root: str
    is_local: ClassVar[bool] = True

    def listing(self) -> pa.Table:
        """See ``Reader``. Downloads what is not in the cache; DataError where that fails."""
        ids: list[str] = []
        labels: list[str | None] = []
        for split in KNOWN[self.name].splits:
            names = self._label_names(split)
            ids += [f"{split}/{index}" for index in range(len(names))]
            labels += names
        return listing_table(ids, labels, [key.split("/")[0] for key in ids])

    def read(self, keys: Sequence[str]) -> Iterator[bytes | str]:
        """See ``Reader``."""
        for key in keys:
            split, index = key.split("/")
            yield self._read(_dataset(self.name, self.root, split), int(index))

    def _read(self, dataset: Any, index: int) -> bytes | str:
        known = KNOWN[self.name]
        if not known.files and not known.samples:
            return encode_png(dataset[index][0])
        file = getattr(dataset, known.files)[index] if known.files else getattr(dataset, known.samples)[index][0]
        if not Path(file).is_file():
            return "does not exist"
        size = Path(file).stat().st_size
        return Path(file).read_bytes() if size <= MAX_BYTES else f"has {size} bytes, more than {MAX_BYTES}"

    def _label_names(self, split: str) -> list[str | None]:
        dataset, known = _dataset(self.name, self.root, split), KNOWN[self.name]
        if known.samples:
            labels = [label for _, label in getattr(dataset, known.samples)]
        elif known.labels:
            labels = [int(label) for label in getattr(dataset, known.labels)]
        else:
            labels = [dataset[index][1] for index in range(len(dataset))]
        names = distinct(getattr(dataset, "classes", None) or [])
        return [(names[label] if names else str(label)) if label >= 0 else None for label in labels]


@functools.lru_cache(maxsize=4)
def _dataset(name: str, root: str, split: str) -> Any:
    import torchvision.datasets  # takes seconds, and most sources need none of it

    make = functools.partial(getattr(torchvision.datasets, name), **KNOWN[name].splits[split])
    if name == "FakeData":
        return make()
    try:
        return make(root=root)
    except (RuntimeError, OSError):  # not in the cache
        return _download(name, make, root)


def _download(name: str, make: functools.partial, root: str) -> Any:
    try:
        Path(root).mkdir(parents=True, exist_ok=True)
        return make(root=root, download=True)
    except (RuntimeError, OSError) as error:
        remedy = (
            f"Put the files that torchvision.datasets.{name} keeps below its root into {root}, or set TRANSLEARN_DATA."
        )
        rule = "must be in the cache or downloadable"
        raise DataError(fault(f"torchvision:{name}", rule, f"an error ({error})", remedy)) from error
