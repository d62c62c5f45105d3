"""Looking through a PyTorch file's pickle before it is read: what it names, and how much work it would make.

torch runs nothing that a pickle names, yet a few hundred bytes can keep it busy for ever: a tuple of the same tuple
twice, twenty times over, is one of a million when it is hashed. Here each operation is followed, and none is done.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from dataclasses import dataclass

import torch

#: How many values a pickle may make, a repeated one each time; ResNet-152 with its optimizer's state has 100,000.
MOST_VALUES = 1_000_000

_DTYPES = {f"torch {name}" for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
_NUMBERS = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
_STORAGES = {f"torch {number}Storage" for number in _NUMBERS}
_CALLED = {"collections OrderedDict", "collections Counter", "__builtin__ set", "torch Size", "torch device"}
_REBUILT = {"torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"}
_KNOWN = _DTYPES | _STORAGES | _CALLED | _REBUILT

_NEW = {"NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "BINFLOAT", "LONG1", "BINUNICODE"}
_NEW |= {"SHORT_BINSTRING", "EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT", "GLOBAL"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_ADDITIONS = {"APPEND": 1, "SETITEM": 2, "BUILD": 1}
_LEGACY_PICKLES = 5  # magic number, version, machine, tensors, names of storages


class EndlessPickleError(pickle.UnpicklingError):
    """A pickle makes more than ``MOST_VALUES`` values."""


def check_pickles(content: bytes) -> None:
    """Looks through every pickle that ``torch.load`` would read of a file.

    Args:
        content: The file: an archive as torch writes it, or the pickles of its older form, one after the other.

    Raises:
        EndlessPickleError: Too many values.
        pickle.UnpicklingError: Names a Python object, "GLOBAL module.name", or does what no tensors need.
        Exception: Nearly any other, on damaged bytes.
    """
    if content.startswith(b"PK\3\4"):  # what torch takes for an archive; its own reader, so that both read the same
        _check(io.BytesIO(torch._C.PyTorchFileReader(io.BytesIO(content)).get_record("data.pkl")), len(content))
        return
    stream, num_bytes = io.BytesIO(content), len(content)
    for _ in range(_LEGACY_PICKLES):
        if stream.tell() < num_bytes:
            _check(stream, num_bytes)


@dataclass
class _Value:
    """What stands for a value: how many it holds, and the largest whole number of a tuple."""

    num: int = 1
    largest: int = 0


def _check(stream: io.BytesIO, num_bytes: int) -> None:
    scan = _Scan(num_bytes)
    for opcode, arg, _ in pickletools.genops(stream):
        scan.follow(opcode.name, arg)


class _Scan:
    """The stack and the memo of an unpickler, with counts instead of values."""

    def __init__(self, num_bytes: int) -> None:
        self._num_bytes = num_bytes
        self._left = MOST_VALUES
        self._stack: list[_Value] = []
        self._below: list[list[_Value]] = []
        self._memo: dict[object, _Value] = {}

    def follow(self, name: str, arg: object) -> None:
        """Does what an operation does to the stack."""
        self._spend(1)
        if name in _NEW:
            self._push(name, arg)
        elif name in _TUPLES:
            self._stack.append(self._together(self._popped(_TUPLES[name])))
        elif name in _ADDITIONS:
            self._add(self._popped(_ADDITIONS[name]))
        elif name not in ("PROTO", "STOP"):
            self._follow_rare(name, arg)

    def _follow_rare(self, name: str, arg: object) -> None:
        match name:
            case "BINPUT" | "LONG_BINPUT":
                self._memo[arg] = self._stack[-1]
            case "BINGET" | "LONG_BINGET":
                self._spend(self._memo[arg].num)
                self._stack.append(self._memo[arg])
            case "MARK":
                self._below.append(self._stack)
                self._stack = []
            case "TUPLE":
                together = self._together(self._marked())  # first: it changes the stack
                self._stack.append(together)
            case "APPENDS" | "SETITEMS":
                self._add(self._marked())
            case "REDUCE":
                self._stack.append(self._together(self._popped(2)[1:]))
            case "BINPERSID":
                self._check_storage(self._popped(1)[0])
            case _:
                raise pickle.UnpicklingError(f"unexpected operation {name}")

    def _push(self, name: str, arg: object) -> None:
        if name == "GLOBAL" and arg not in _KNOWN:
            raise pickle.UnpicklingError(f"GLOBAL {str(arg).replace(' ', '.')}")
        self._stack.append(_Value(largest=arg if isinstance(arg, int) else 0))

    def _together(self, values: list[_Value]) -> _Value:
        num = 1 + sum(value.num for value in values)
        self._spend(num)
        return _Value(num, max((value.largest for value in values), default=0))

    def _add(self, values: list[_Value]) -> None:
        self._stack[-1].num += sum(value.num for value in values)

    def _check_storage(self, key: _Value) -> None:
        """Its length is believed in the older form, and memory taken before any of it is read."""
        if key.largest > self._num_bytes:
            raise pickle.UnpicklingError("a storage longer than the file")
        self._stack.append(_Value())

    def _popped(self, num: int) -> list[_Value]:
        if len(self._stack) < num:
            raise IndexError("the stack is empty")
        values = self._stack[-num:]
        del self._stack[-num:]
        return values

    def _marked(self) -> list[_Value]:
        values, self._stack = self._stack, self._below.pop()
        return values

    def _spend(self, num: int) -> None:
        self._left -= num
        if self._left < 0:
            raise EndlessPickleError
