"""Choice of the reader for a source string."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

import pyarrow.fs as pafs

from translearn.data.dataset import open_dataset
from translearn.data.formats.builtin import PROCEDURES, Procedural, SklearnDigits
from translearn.data.formats.files import ImageFiles
from translearn.data.formats.folders.image_folder import ImageFolder
from translearn.data.formats.folders.names import looks_decodable
from translearn.data.formats.reader import Reader, did_you_mean
from translearn.data.formats.tabular.parquet import ParquetImages, open_parquet
from translearn.data.formats.tabular.parquet_columns import has_images
from translearn.data.formats.tabular.tables import TableOfPaths
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


#: Of ``open_images``.
IMAGES = (
    "image files, a folder with images at any depth, a CSV or Parquet file with a column path, Parquet with a column "
    "image, or an ingested data set"
)


def open_images(sources: Sequence[str]) -> Reader:
    """Return the reader of images without labels: of one source, or of several image files.

    Raises:
        DataError: There is no such source; names every file that is missing.
    """
    if len(sources) == 1:
        return open_source(sources[0], labelled=False)
    kinds = [folder.fs.get_file_info(folder.path).type for folder in map(Folder.open, sources)]
    rule, remedy = "must be an image file, as several sources are given", "Give one folder or table, or files only."
    faults = [
        fault(source, rule, "a folder" if kind == pafs.FileType.Directory else "nothing there", remedy)
        for source, kind in zip(sources, kinds, strict=True)
        if kind != pafs.FileType.File
    ]
    raise_faults(faults, DataError)
    return ImageFiles(tuple(sources))


def open_source(source: str, root: str | None = None, labelled: bool = True) -> Reader:
    """Return the reader of a source.

    Args:
        source: One of ``ACCEPTED``; options follow a question mark: ``procedural:glyphs?num=400&size=32&seed=0``.
        root: The folder of torchvision's data sets; see ``default_root``.
        labelled: False to open ``IMAGES`` too, and to list no labels of files.

    Raises:
        DataError: There is no such source; says what there is, and the nearest name.
    """
    match = _SCHEME.match(source)
    if match is None:
        return _open_location(source, labelled)
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


def _open_location(source: str, labelled: bool) -> Reader:
    folder = Folder.open(source)
    kind = folder.fs.get_file_info(folder.path).type
    if kind == pafs.FileType.Directory:
        return _open_folder(folder, labelled)
    above, name = folder.parent, folder.path.rpartition("/")[2]
    if kind == pafs.FileType.File and name.lower().endswith(".csv"):
        return TableOfPaths(above, name, labelled)
    if kind == pafs.FileType.File and name.lower().endswith(".parquet"):
        return _open_parquet(above, name, labelled)
    if kind == pafs.FileType.File and not labelled and looks_decodable(name):
        return ImageFiles((source,))
    accepted = ACCEPTED if labelled else IMAGES
    if kind == pafs.FileType.File and name.lower().endswith(_ARCHIVES):
        remedy = "Unpack it yourself, where you trust it, and name the folder."
        raise DataError(fault(source, f"must be {accepted}", "an archive, which is never unpacked", remedy))
    if kind == pafs.FileType.File:
        raise DataError(fault(source, f"must be {accepted}", "another file", "Name a .csv or .parquet file."))
    raise DataError(fault(source, f"must be {accepted}", "nothing there", did_you_mean(name, above.names()[:20])))


def _open_folder(folder: Folder, labelled: bool) -> Reader:
    if folder.exists(MANIFEST):
        manifest = open_dataset(folder).manifest
        files = tuple((s.split, s.file) for s in manifest.shards)
        return ParquetImages(folder, files, tuple(manifest.classes), labelled)
    for inner in (folder, folder / "data"):  # Hugging Face keeps the files in data/
        names = [name for name in inner.names() if name.lower().endswith(".parquet")]
        if names:
            return ParquetImages.of(inner, names, labelled)
    return ImageFolder(folder, labelled)


def _open_parquet(folder: Folder, name: str, labelled: bool) -> Reader:
    schema = open_parquet(folder, name).schema_arrow
    if "path" in schema.names and not has_images(schema):
        return TableOfPaths(folder, name, labelled)
    return ParquetImages.of(folder, [name], labelled)
