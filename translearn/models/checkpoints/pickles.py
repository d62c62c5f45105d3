"""Check and translation of a PyTorch file's pickles before ``torch.load(weights_only=True)`` reads them.

torch executes no code of a pickle, but a few hundred bytes can take hours or all memory: a tuple that holds the same
tuple twice, nested 20 times, has a million values when it is hashed, and torch's list of allowed calls includes some
that only allocate memory. And it refuses a whole file for one object that is no tensor, or for an opcode of another
protocol. So each pickle is followed first, with counts in place of values, and written anew where it has to be: a
stand-in for each other object, in opcodes that torch knows. No name of a file reaches torch but those that tensors
need.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import torch
from torch.serialization import safe_globals

from translearn.models.checkpoints.objects import StandIn
from translearn.models.checkpoints.scan import Scan

_LEGACY_PICKLES = 5  # magic number, version, machine, tensors, names of storages
_OF_THE_WRITER = ("version", ".data/", ".format_version", ".storage_alignment")  # records that it adds itself


def load_pickle(content: bytes) -> tuple[object, tuple[str, ...]]:
    """Return what a PyTorch file holds, with a ``StandIn`` in place of each Python object that is no tensor.

    Args:
        content: The file: an archive as torch writes it, or the consecutive pickles of the legacy format.

    Returns:
        The content, tensors on the CPU; and the names of the classes of other objects, as "module.name".

    Raises:
        EndlessPickleError: Its pickles make too many values.
        pickle.UnpicklingError: A call that tensors do not need, as "GLOBAL module.name", or something else that
            ``torch.save`` does not write.
        Exception: Nearly any other, on damaged bytes.
    """
    translated, objects = (_archive if content.startswith(b"PK\3\4") else _legacy)(content)
    with safe_globals([StandIn]):
        return torch.load(io.BytesIO(translated), map_location="cpu", weights_only=True), tuple(objects)


def _archive(content: bytes) -> tuple[bytes, Sequence[str]]:
    reader = torch._C.PyTorchFileReader(io.BytesIO(content))  # torch's own, so that both read the same entry
    program, scan = reader.get_record("data.pkl"), Scan(len(content))
    translation = scan.follow(io.BytesIO(program))
    if translation == program:
        return content, ()
    stream = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(stream)
    for name in reader.get_all_records():
        if not name.startswith(_OF_THE_WRITER):
            record = translation if name == "data.pkl" else reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    return stream.getvalue(), list(scan.objects)


def _legacy(content: bytes) -> tuple[bytes, Sequence[str]]:
    stream, translation, objects = io.BytesIO(content), b"", list[str]()
    for _ in range(_LEGACY_PICKLES):
        if stream.tell() < len(content):
            scan = Scan(len(content))
            translation += scan.follow(stream)
            objects += scan.objects
    end = stream.tell()
    return (content if translation == content[:end] else translation + content[end:]), objects
