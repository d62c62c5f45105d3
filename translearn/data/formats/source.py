"""Choice of the reader for a source string."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import pyarrow.fs as pafs

from translearn.data.dataset import open_dataset
from translearn.data.formats.builtin import PROCEDURES, Procedural, SklearnDigits
from translearn.data.formats.files import ImageFolder, TableOfPaths
from translearn.data.formats.parquet import ParquetImages, open_parquet
from translearn.data.formats.reader import Reader, did_you_mean
from translearn.data.formats.torchvision_sets import KNOWN, TorchvisionImages, default_root
from translearn.data.manifest import MANIFEST
from translearn.errors import DataError, fault, raise_faults
from translearn.storage.folder import Folder

_SCHEME = re.compile(r"^([A-Za-z]{2,}):(?!//)(.*)$")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".7z", ".rar")
_LEAST = {"num": 1, "size": 8, "seed": 0}
ACCEPTED = (
    "a folder of images (train/ val/ test/ or class folders), a CSV or Parquet file with path,label[,split], "
    "Parquet with image and label, an ingested data set, torchvision:NAME, sklearn:digits, "
    "procedural:glyphs or procedural:textures"
)


def open_source(source: str, root: str | None = None) -> Reader:
    """Return the reader of a source.

    Args:
        source: One of ``ACCEPTED``; options follow a question mark: ``procedural:glyphs?num=400&size=32&seed=0``.
        root: The folder of torchvision's data sets; see ``default_root``.

    Raises:
        DataError: There is no such source; says what there is, and the nearest name.
    """
    match = _SCHEME.match(source)
    if match is None:
        return _open_location(source)
    scheme, (name, _, query) = match[1], match[2].partition("?")
    names = {"torchvision": list(KNOWN), "sklearn": ["digits"], "procedural": list(PROCEDURES)}
    if scheme not in names:
        raise DataError(fault(source, "must be a known kind of source", repr(scheme), did_you_mean(scheme, names)))
    if name not in names[scheme]:
        raise DataError(fault(source, f"must name a {scheme} data set", repr(name), did_you_mean(name, names[scheme])))
    options = _options(source, query, _LEAST if scheme == "procedural" else {})
    if scheme == "torchvision":
        return TorchvisionImages(name, root or default_root())
    return SklearnDigits() if scheme == "sklearn" else Procedural(name, **options)


def _options(source: str, query: str, least: Mapping[str, int]) -> dict[str, int]:
    given, faults = dict(parse_qsl(query, keep_blank_values=True)), []
    for name, value in given.items():
        if name not in least:
            faults.append(fault(source, "must have known options", repr(name), did_you_mean(name, least)))
        elif not value.isdecimal() or int(value) < least[name]:
            faults.append(
                fault(f"{source}: {name}", f"must be a whole number of at least {least[name]}", repr(value), "")
            )
    raise_faults(faults, DataError)
    return {name: int(value) for name, value in given.items()}


def _open_location(source: str) -> Reader:
    folder = Folder.open(source)
    kind = folder.fs.get_file_info(folder.path).type
    if kind == pafs.FileType.Directory:
        return _open_folder(folder)
    above, name = folder.parent, folder.path.rpartition("/")[2]
    if kind == pafs.FileType.File and name.endswith(".csv"):
        return TableOfPaths(above, name)
    if kind == pafs.FileType.File and name.endswith(".parquet"):
        return _open_parquet(above, name)
    if kind == pafs.FileType.File and name.lower().endswith(_ARCHIVES):
        remedy = "Unpack it yourself, where you trust it, and name the folder."
        raise DataError(fault(source, f"must be {ACCEPTED}", "an archive, which is never unpacked", remedy))
    if kind == pafs.FileType.File:
        raise DataError(fault(source, f"must be {ACCEPTED}", "another file", "Name a .csv or .parquet file."))
    raise DataError(fault(source, f"must be {ACCEPTED}", "nothing there", did_you_mean(name, above.names()[:20])))


def _open_folder(folder: Folder) -> Reader:
    if folder.exists(MANIFEST):
        manifest = open_dataset(folder).manifest
        return ParquetImages(folder, tuple((s.split, s.file) for s in manifest.shards), tuple(manifest.classes))
    for inner in (folder, folder / "data"):  # Hugging Face keeps the files in data/
        names = [name for name in inner.names() if name.endswith(".parquet")]
        if names:
            return ParquetImages.of(inner, names)
    return ImageFolder(folder)


def _open_parquet(folder: Folder, name: str) -> Reader:
    has_paths = "path" in open_parquet(folder, name).schema_arrow.names
    return TableOfPaths(folder, name) if has_paths else ParquetImages.of(folder, [name])
