"""Names of files and folders that tell what they are: a file manager's own, a NAS's thumbnails, no image at all."""

from __future__ import annotations

import functools
import re
from pathlib import PurePosixPath

from PIL import Image

from translearn.data.images.pixels import FORMATS

#: What systems, NAS devices and unpacked archives leave behind, in lower case. Some of it holds thumbnails.
_SYSTEM = frozenset(
    (
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "__pycache__"),
        *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "@__thumb", "#recycle", "#snapshot", "~snapshot"),
        *("$recycle.bin", "recycler", "system volume information", "lost+found", "found.000"),
        *("network trash folder", "temporary items"),
    )
)
#: Endings of texts, labels, documents, code, archives, arrays, videos and sounds.
_NO_IMAGES = re.compile(
    r"\.(json|jsonl|xml|txt|csv|tsv|yaml|yml|toml|ini|cfg|conf|md|rst|html|htm|css|js|log|aux|tex|lst|names|xmp|aae|cat"
    r"|md5|sha1|sha256|sfv|url|lnk|torrent|lock|pdf|docx?|xlsx?|ods|odt|pptx?|py|pyc|ipynb|m|mat|r|sh|bat|c|h|cpp"
    r"|zip|tar|gz|tgz|bz2|tbz2|xz|txz|zst|7z|rar|npy|npz|pkl|pickle|joblib|pt|pth|h5|hdf5|parquet|arrow|feather|tfrecord"
    r"|db|sqlite3?|mp4|m4v|avi|mov|mkv|webm|mpe?g|wmv|flv|wav|mp3|m4a|flac|ogg|srt)"
)


def is_passed_over(name: str) -> bool:
    """Return whether a file or a folder is hidden, or one that a system made for itself."""
    return name.startswith(".") or name.casefold() in _SYSTEM


def cannot_be_image(path: str) -> bool:
    """Return whether a file has the ending of something else than an image. One without an ending may be an image."""
    return _NO_IMAGES.fullmatch(PurePosixPath(path).suffix.lower()) is not None


@functools.cache
def _endings() -> frozenset[str]:
    """Return the endings of the formats that are read: ``.jpg``, ``.png``, ..."""
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in FORMATS)


def looks_decodable(path: str) -> bool:
    """Return whether a file has the ending of a format that is read."""
    return PurePosixPath(path).suffix.lower() in _endings()


def looks_like_image(path: str) -> bool:
    """Return whether a file has the ending of any format of images."""
    return PurePosixPath(path).suffix.lower() in Image.registered_extensions()
