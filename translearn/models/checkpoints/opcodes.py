"""Opcodes of pickle that torch's restricted unpickler knows, for those of other protocols that it does not.

It reads protocol 2 and little of the others. Source: the documentation of the opcodes in Python's ``pickletools``.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from typing import Any

from translearn.models.checkpoints.objects import StandIn

_LONGEST_INTEGER = 255  # bytes
#: Names of the opcodes that push a text.
TEXTS = (
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"),
    *("SHORT_BINSTRING", "BINSTRING", "STRING"),  # of Python 2
)
_BYTES = ("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8")


def named(module: str, name: str) -> bytes:
    """Return the opcode that pushes a class or a function."""
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def text(value: str) -> bytes:
    """Return the opcode that pushes a text."""
    content = value.encode("utf-8", "surrogatepass")
    return pickle.BINUNICODE + struct.pack("<I", len(content)) + content


def integer(value: int) -> bytes:
    """Return the opcode that pushes a whole number, or a truth value, which protocol 1 has as a number."""
    if isinstance(value, bool):
        return pickle.NEWTRUE if value else pickle.NEWFALSE
    content = pickle.encode_long(value)
    if len(content) > _LONGEST_INTEGER:
        raise pickle.UnpicklingError("an integer without end")
    return pickle.LONG1 + bytes([len(content)]) + content


def put(key: int) -> bytes:
    """Return the opcode that keeps the last value under a key."""
    return pickle.LONG_BINPUT + struct.pack("<I", key)


def get(key: int) -> bytes:
    """Return the opcode that pushes the value under a key."""
    return pickle.LONG_BINGET + struct.pack("<I", key)


#: The opcode that pushes the class of stand-ins.
STAND_IN = named(StandIn.__module__, StandIn.__qualname__)
#: Opcodes that only push a value, to their translation from the argument.
PUSHED: dict[str, Callable[[Any], bytes]] = {
    "PROTO": lambda _: pickle.PROTO + b"\2",
    "FRAME": lambda _: b"",
    **dict.fromkeys(TEXTS, text),
    **dict.fromkeys(("INT", "LONG", "LONG4"), integer),
    "FLOAT": lambda value: pickle.BINFLOAT + struct.pack(">d", value),
    **dict.fromkeys(_BYTES, lambda _: pickle.NONE),  # no part of a tensor
    "EMPTY_SET": lambda _: STAND_IN + pickle.EMPTY_TUPLE + pickle.REDUCE,
    "FROZENSET": lambda _: pickle.TUPLE,
}
#: Opcodes that add to a value, to how a stand-in takes it: as its state. torch adds to plain lists and mappings only.
ADDED = {
    "BUILD": pickle.BUILD,
    "APPEND": pickle.BUILD,
    "SETITEM": pickle.TUPLE2 + pickle.BUILD,
    **dict.fromkeys(("APPENDS", "SETITEMS", "ADDITEMS"), pickle.TUPLE + pickle.BUILD),
}
#: Opcodes that make an object of a class or a function and arguments, to how a stand-in takes these.
MADE = {"REDUCE": pickle.REDUCE, "NEWOBJ": pickle.REDUCE, "NEWOBJ_EX": pickle.TUPLE2 + pickle.REDUCE}
#: Opcodes that ``torch.save`` never writes.
REFUSED = ("POP", "POP_MARK", "DUP", "PERSID", "INST", "OBJ", "DICT", "LIST", "EXT1", "EXT2", "EXT4")
