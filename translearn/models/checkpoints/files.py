"""Files of weights that nobody vouches for: nothing but tensors is read, and code in a file never runs."""

from __future__ import annotations

import io
import os
import pickle
import re
import struct
import zipfile

import safetensors.torch

from translearn.errors import StorageError, WeightsError, fault
from translearn.models.checkpoints.content import SAVE_AGAIN, Content, cut, named_tensors
from translearn.models.checkpoints.pickles import load_pickle
from translearn.models.checkpoints.scan import MOST_VALUES, EndlessPickleError
from translearn.models.checkpoints.shards import INDEX, read_index
from translearn.storage.folder import Folder
from translearn.storage.uris import split

#: Endings of files of weights: safetensors, PyTorch's own by whatever name, and the index of several of either.
SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".pth.tar", INDEX)

_MOST_GROWTH = 2  # tensors under two names are saved once
_COPY_AGAIN = "It is damaged, or no weights file: copy or download it again."


def read_content(path: str | os.PathLike[str]) -> Content:
    """Return the named tensors of a file, or of all the files of an index.

    Args:
        path: A file that ends in one of ``SUFFIXES``; local, ``s3://`` or ``gs://``.

    Raises:
        WeightsError: The file is missing, damaged, or holds no named tensors, or calls of something that tensors do
            not need. No code in it was executed.
    """
    folder, name = _locate(path)
    if not name.endswith(INDEX):
        return parse_content(_bytes(folder, name), folder.address(name))
    names = read_index(_bytes(folder, name), folder.address(name))
    parts = {file: parse_content(_bytes(folder, file), folder.address(file)) for file in dict.fromkeys(names.values())}
    missing = [one for one, file in names.items() if one not in parts[file].tensors]
    if missing:
        rule, got = "must name tensors that its files hold", f"{cut(missing[0])!r} in {names[missing[0]]}"
        raise WeightsError(fault(folder.address(name), rule, got, "Copy or download all files again."))
    return Content({one: parts[file].tensors[one] for one, file in names.items()})


def parse_content(content: bytes, where: str) -> Content:
    """Return the named tensors of a file's content; ``where`` names the file in errors, its ending the format.

    Raises:
        WeightsError: As ``read_content``.
    """
    if split(where)[1].endswith(".safetensors"):
        found = named_tensors(_parse_safetensors(content, where), (), where)
    else:
        found = named_tensors(*_parse_pickle(content, where), where)
    _check_growth(sum(one.numel() * one.element_size() for one in found.tensors.values()), content, where)
    return found


def _locate(path: str | os.PathLike[str]) -> tuple[Folder, str]:
    text = os.fspath(path)
    if not split(text)[1].endswith(SUFFIXES):
        remedy = f"Give a file that ends in one of {', '.join(SUFFIXES)}, or a model directory with a model.json."
        raise WeightsError(fault("weights", "must be a file of a known kind", repr(text), remedy))
    return Folder.holding(text)


def _bytes(folder: Folder, name: str) -> bytes:
    try:
        return folder.read_bytes(name)
    except StorageError as error:
        rule, remedy = "must be a readable file", "Check the path and your access to it."
        raise WeightsError(fault(folder.address(name), rule, f"none ({error.__cause__})", remedy)) from error


def _parse_safetensors(content: bytes, where: str) -> object:
    try:
        return safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        got = f"{len(content)} bytes that are not ({cut(str(error))})"
        raise WeightsError(fault(where, "must be a whole safetensors file", got, _COPY_AGAIN)) from error


def _parse_pickle(content: bytes, where: str) -> tuple[object, tuple[str, ...]]:
    try:
        num_bytes = _unpacked(content) if content.startswith(b"PK") else 0
    except (zipfile.BadZipFile, struct.error, ValueError, OSError, OverflowError, NotImplementedError) as error:
        raise _not_whole(content, where, error) from error
    _check_growth(num_bytes, content, where)
    try:
        return load_pickle(content)
    except EndlessPickleError as error:
        raise WeightsError(fault(where, f"must hold at most {MOST_VALUES:,} values", "more", SAVE_AGAIN)) from error
    except pickle.UnpicklingError as error:
        foreign = re.search(r"GLOBAL (\S+)", str(error))
        got = f"the Python object {cut(foreign[1])}" if foreign else "a pickle of something else"
        raise WeightsError(fault(where, "must hold plain tensors only", got, SAVE_AGAIN)) from error
    except Exception as error:  # damaged bytes make the unpickler raise nearly anything
        raise _not_whole(content, where, error) from error


def _not_whole(content: bytes, where: str, error: Exception) -> WeightsError:
    got = f"{len(content)} bytes that are not ({cut(str(error).partition('.')[0]) or type(error).__name__})"
    return WeightsError(fault(where, "must be a whole PyTorch file", got, _COPY_AGAIN))


def _unpacked(content: bytes) -> int:
    """Return the number of bytes that an archive declares to unpack to."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if archive.comment or not entries or entries[0].header_offset:
            # As torch never writes it: Python and torch might then read two different lists of contents.
            raise zipfile.BadZipFile("not an archive of torch's")
        return sum(entry.file_size for entry in entries)


def _check_growth(num_bytes: int, content: bytes, where: str) -> None:
    """Refuse a small file that unpacks to more than memory: compressed zeros, or one number expanded without end."""
    most = _MOST_GROWTH * len(content)
    if num_bytes > most:
        rule = f"must unpack to at most {_MOST_GROWTH} times its size"
        raise WeightsError(fault(where, rule, f"{len(content):,} bytes that become {num_bytes:,}", SAVE_AGAIN))
