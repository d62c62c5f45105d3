"""Tensors from untrusted files: nothing but tensors is read, and code in a file never runs."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Iterable, Mapping

import safetensors.torch
import torch
from torch import Tensor

from translearn.errors import StorageError, WeightsError, fault
from translearn.models.pickle_scan import MOST_VALUES, EndlessPickleError, check_pickles
from translearn.storage.folder import Folder
from translearn.storage.uris import split

State = dict[str, Tensor]
SUFFIXES = (".safetensors", ".pth", ".pt")

_MOST_GROWTH = 2  # tensors under two names are saved once
_LONGEST_NAME = 1000
_NUM_SHOWN = 100  # characters that a message repeats of a file

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "model.", "_orig_mod.")  # DistributedDataParallel, Lightning, torch.compile
_SAVE_AGAIN = "Save it with safetensors: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')."
_COPY_AGAIN = "It is damaged, or no weights file: copy or download it again."


def read_state(path: str | os.PathLike[str]) -> State:
    """Return the named tensors of a file, on the CPU.

    Usual wrappers are removed: a mapping under "state_dict", "model_state_dict" or "model", and a prefix common
    to all names that data-parallel training, Lightning or ``torch.compile`` adds.

    Args:
        path: A .safetensors, .pth or .pt file; local, ``s3://`` or ``gs://``.

    Raises:
        WeightsError: The file is missing, damaged, or holds anything but tensors. No code in it was executed.
    """
    folder, name = _locate(path)
    where = folder.address(name)
    try:
        content = folder.read_bytes(name)
    except StorageError as error:
        remedy = "Check the path and your access to it."
        raise WeightsError(fault(where, "must be a readable file", f"none ({error.__cause__})", remedy)) from error
    return parse_state(content, where)


def parse_state(content: bytes, where: str) -> State:
    """Return the named tensors of a file's content; ``where`` names the file in errors, its ending the format.

    Raises:
        WeightsError: As ``read_state``.
    """
    parse = _parse_safetensors if split(where)[1].endswith(".safetensors") else _parse_pickle
    tree = parse(content, where)
    state = _plain_tensors(tree, where)
    _check_growth(sum(tensor.numel() * tensor.element_size() for tensor in state.values()), content, where)
    return _strip_prefixes(state)


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the sorted names, dtypes, shapes and bytes of tensors: equal only for equal weights.

    It does not depend on order, device or memory format.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def non_finite(state: Mapping[str, Tensor]) -> list[str]:
    """Return the names of the tensors that hold NaN or infinity: one reduction, and one a tensor where it finds any."""
    floats = {name: tensor for name, tensor in state.items() if tensor.is_floating_point() and tensor.numel()}
    if bool(torch.nn.utils.get_total_norm(floats.values()).isfinite()):
        return []  # 2 ms for a ResNet-18 on one CPU
    return [name for name, tensor in floats.items() if not tensor.isfinite().all()]


def _locate(path: str | os.PathLike[str]) -> tuple[Folder, str]:
    text = os.fspath(path)
    if not split(text)[1].endswith(SUFFIXES):
        remedy = f"Give a file that ends in one of {', '.join(SUFFIXES)}, or a model directory with a model.json."
        raise WeightsError(fault("weights", "must be a file of a known kind", repr(text), remedy))
    return Folder.holding(text)


def _parse_safetensors(content: bytes, where: str) -> object:
    try:
        return safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        got = f"{len(content)} bytes that are not ({_cut(str(error))})"
        raise WeightsError(fault(where, "must be a whole safetensors file", got, _COPY_AGAIN)) from error


def _parse_pickle(content: bytes, where: str) -> object:
    try:
        num_bytes = _unpacked(content) if content.startswith(b"PK") else 0
    except (zipfile.BadZipFile, struct.error, ValueError, OSError, OverflowError, NotImplementedError) as error:
        raise _not_whole(content, where, error) from error
    _check_growth(num_bytes, content, where)
    try:
        check_pickles(content)
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except EndlessPickleError as error:
        raise WeightsError(fault(where, f"must hold at most {MOST_VALUES:,} values", "more", _SAVE_AGAIN)) from error
    except pickle.UnpicklingError as error:
        foreign = re.search(r"GLOBAL (\S+)", str(error))
        got = f"the Python object {_cut(foreign[1])}" if foreign else "a pickle of something else"
        raise WeightsError(fault(where, "must hold plain tensors only", got, _SAVE_AGAIN)) from error
    except Exception as error:  # damaged bytes make the unpickler raise nearly anything
        raise _not_whole(content, where, error) from error


def _not_whole(content: bytes, where: str, error: Exception) -> WeightsError:
    got = f"{len(content)} bytes that are not ({_cut(str(error).partition('.')[0]) or type(error).__name__})"
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
        raise WeightsError(fault(where, rule, f"{len(content):,} bytes that become {num_bytes:,}", _SAVE_AGAIN))


def _plain_tensors(tree: object, where: str) -> State:
    for _ in _WRAPPERS:  # a mapping may hold itself
        tree = _unwrapped(tree)
    if not isinstance(tree, dict) or not tree:
        got = "an empty mapping" if isinstance(tree, dict) else f"one {type(tree).__name__}"
        raise WeightsError(fault(where, "must hold plain tensors only", got, _SAVE_AGAIN))
    tree = dict(dict.items(tree))  # dict's method: a file can give an OrderedDict an attribute of this name
    for name, value in tree.items():
        if not isinstance(name, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            got = f"{type(value).__name__} under {_shown(name)}"
            raise WeightsError(fault(where, "must hold plain tensors only", got, _SAVE_AGAIN))
    _check_names(tree, where)
    return {name: value.detach() for name, value in tree.items()}


def _unwrapped(tree: object) -> object:
    inner = [tree[key] for key in _WRAPPERS if isinstance(dict.get(tree, key), dict)] if isinstance(tree, dict) else []
    return inner[0] if inner else tree


def _shown(name: object) -> str:
    """Return a name for a message; a tuple could be without end."""
    return repr(name)[:_NUM_SHOWN] if isinstance(name, str | int) else f"a name of type {type(name).__name__}"


def _check_names(names: Iterable[str], where: str) -> None:
    longest = max(names, key=len)
    if len(longest) > _LONGEST_NAME:
        rule, got = f"must have names of at most {_LONGEST_NAME:,} characters", f"one of {len(longest):,}"
        raise WeightsError(fault(where, rule, f"{got}: {longest[:_NUM_SHOWN]!r}...", _SAVE_AGAIN))


def _strip_prefixes(state: State) -> State:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            return _strip_prefixes({name.removeprefix(prefix): tensor for name, tensor in state.items()})
    return state


def _cut(text: str) -> str:
    """Return the first characters of a text from a file, in one line."""
    return "".join(c if c.isprintable() else " " for c in text[:_NUM_SHOWN])
