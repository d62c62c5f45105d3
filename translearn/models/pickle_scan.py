"""Check of a PyTorch file's pickle before ``torch.load(weights_only=True)`` reads it.

torch executes no code of a pickle, but a few hundred bytes can take hours or all memory: a tuple that holds the same
tuple twice, nested 20 times, has a million values when it is hashed, and torch's list of allowed calls includes some
that only allocate memory. The check follows the opcodes with counts in place of values, as ``pickletools`` documents
their effect on the stack. Opcodes that torch does not support need no care: torch refuses them.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from dataclasses import dataclass

import torch

#: Most values that a pickle may make, counting repeated ones each time; ResNet-152 with its optimizer has 100,000.
MOST_VALUES = 1_000_000

_NUMBERS = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
_KNOWN = {
    *(f"torch {name}" for name, value in vars(torch).items() if isinstance(value, torch.dtype)),
    *(f"torch {number}Storage" for number in _NUMBERS),
    *("collections OrderedDict", "collections Counter", "__builtin__ set", "torch Size", "torch device"),
    *("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"),
}
_ADDITIONS = ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD")
_LEGACY_PICKLES = 5  # magic number, version, machine, tensors, names of storages


class EndlessPickleError(pickle.UnpicklingError):
    """Pickle that makes more than ``MOST_VALUES`` values."""


def check_pickles(content: bytes) -> None:
    """Check every pickle that ``torch.load`` would read of a file.

    Args:
        content: The file: an archive as torch writes it, or the consecutive pickles of the legacy format.

    Raises:
        EndlessPickleError: Too many values.
        pickle.UnpicklingError: A Python object that tensors do not need, as "GLOBAL module.name", or a storage longer
            than the file.
        Exception: Nearly any other, on damaged bytes.
    """
    if content.startswith(b"PK\3\4"):  # torch's own reader, so that both read the same entry
        _Scan(len(content)).follow(torch._C.PyTorchFileReader(io.BytesIO(content)).get_record("data.pkl"))
        return
    stream = io.BytesIO(content)
    for _ in range(_LEGACY_PICKLES):
        if stream.tell() < len(content):
            _Scan(len(content)).follow(stream)


@dataclass
class _Value:
    """Stand-in for a value: number of values in it, and the largest integer in it."""

    num: int = 1
    largest: int = 0


class _Scan:
    """Stack and memo of an unpickler with ``_Value`` in place of values."""

    def __init__(self, num_bytes: int) -> None:
        self._num_bytes = num_bytes
        self._left = MOST_VALUES
        self._stack: list[_Value] = []
        self._marks: list[int] = []
        self._memo: dict[object, _Value] = {}

    def follow(self, stream: bytes | io.BytesIO) -> None:
        for opcode, arg, _ in pickletools.genops(stream):
            self._spend(1)
            name = opcode.name
            if name == "MARK":
                self._marks.append(len(self._stack))
            elif name.endswith("PUT"):
                self._memo[arg] = self._stack[-1]
            elif name.endswith("GET"):
                self._push(self._memo[arg])
            else:
                self._replace(opcode, arg, self._popped(opcode.stack_before))

    def _replace(self, opcode: pickletools.OpcodeInfo, arg: object, values: list[_Value]) -> None:
        """Push the result of an opcode that took ``values`` from the stack."""
        if opcode.name == "GLOBAL" and arg not in _KNOWN:
            raise pickle.UnpicklingError(f"GLOBAL {str(arg).replace(' ', '.')}")
        if opcode.name == "BINPERSID" and values[0].largest > self._num_bytes:
            # The legacy format allocates the length that it reads here, before the data.
            raise pickle.UnpicklingError("a storage longer than the file")
        if opcode.name in _ADDITIONS:
            values[0].num += sum(value.num for value in values[1:])
            self._stack.append(values[0])
        elif opcode.stack_after:
            largest = max((value.largest for value in values), default=arg if isinstance(arg, int) else 0)
            self._push(_Value(1 + sum(value.num for value in values), largest))

    def _popped(self, before: list[pickletools.StackObject]) -> list[_Value]:
        start = len(self._stack) - len(before)
        if pickletools.markobject in before:
            start = self._marks.pop() - before.index(pickletools.markobject)
        values = self._stack[max(start, 0) :]
        del self._stack[max(start, 0) :]
        return values

    def _push(self, value: _Value) -> None:
        self._spend(value.num)
        self._stack.append(value)

    def _spend(self, num: int) -> None:
        self._left -= num
        if self._left < 0:
            raise EndlessPickleError
