"""Check and translation of one pickle, an opcode at a time, with counts in place of values."""

from __future__ import annotations

import io
import pickle
import pickletools
from dataclasses import dataclass, field

from translearn.models.checkpoints import opcodes
from translearn.models.checkpoints.objects import INERT, KNOWN

#: Most values that a pickle may make, counting repeated ones each time; ResNet-152 with its optimizer has 100,000.
MOST_VALUES = 1_000_000

_LONGEST_NAME, _MOST_KEYS = 1000, 10  # of a class or function, in protocol 4; texts are kept under one key
_Name = tuple[str, str]  # module and name
_ORDERED: _Name = ("collections", "OrderedDict")


class EndlessPickleError(pickle.UnpicklingError):
    """Pickle that makes more than ``MOST_VALUES`` values."""


@dataclass
class _Value:
    """Stand-in for a value.

    Attributes:
        num: Number of values in it.
        largest: The largest integer in it.
        text: Itself, where it is a text.
        name: Of a class or function; of an object that one made, of its maker.
        is_made: It is such an object.
        keys: Of a text: under which it is kept.
    """

    num: int = 1
    largest: int = 0
    text: str | None = None
    name: _Name | None = None
    is_made: bool = False
    keys: list[int] = field(default_factory=list)

    @property
    def is_foreign(self) -> bool:
        """Whether it is a class that tensors do not need, or an object of one."""
        return self.name is not None and self.name not in KNOWN


class Scan:
    """Stack and memo of an unpickler with ``_Value`` in place of values, and the translation so far.

    Attributes:
        objects: Names of the classes and functions that stand-ins take the place of, in order of appearance.
    """

    def __init__(self, num_bytes: int) -> None:
        """Start, for a file of so many bytes."""
        self.objects: dict[str, None] = {}
        self._out = bytearray()
        self._num_bytes, self._left = num_bytes, MOST_VALUES
        self._stack: list[_Value] = []
        self._starts: list[int] = []  # of each value on the stack: where its opcodes begin in the translation
        self._marks: list[int] = []
        self._memo: dict[int, _Value] = {}
        self._kept_at: dict[int, int] = {}  # by key: where the translation keeps its value
        self._cut: set[int] = set()  # keys of texts that were cut out of the translation

    def follow(self, stream: io.BytesIO) -> bytes:
        """Check the pickle that begins at the stream's position; return its translation.

        Raises:
            EndlessPickleError: Too many values.
            pickle.UnpicklingError: A call that tensors do not need, as "GLOBAL module.name", an opcode that torch never
                writes, or a storage longer than the file.
        """
        before, content = stream.tell(), stream.getbuffer()
        for opcode, arg, _ in pickletools.genops(stream):
            self._spend(1)
            raw = content[before : stream.tell()].tobytes()
            before += len(raw)
            self._step(opcode, arg, raw)
        return bytes(self._out)

    def _step(self, opcode: pickletools.OpcodeInfo, arg: object, raw: bytes) -> None:
        name = opcode.name
        if name in opcodes.REFUSED:
            raise pickle.UnpicklingError(f"the opcode {name}")
        if name == "MARK":
            self._marks.append(len(self._stack))
            self._out += raw
        elif name.endswith("PUT"):
            self._put(int(str(arg)), raw)
        elif name == "MEMOIZE":
            self._put(len(self._memo), raw)
        elif name.endswith("GET"):
            self._get(int(str(arg)), raw)
        else:
            self._replace(opcode, arg, raw)

    def _put(self, key: int, raw: bytes) -> None:
        value = self._stack[-1]
        self._memo[key], self._kept_at[key] = value, len(self._out)
        self._cut.discard(key)
        if value.text is not None:
            value.keys.append(key)
        self._out += raw if raw[:1] in (pickle.BINPUT, pickle.LONG_BINPUT) else opcodes.put(key)

    def _get(self, key: int, raw: bytes) -> None:
        value, translation = self._memo[key], raw if raw[:1] != pickle.GET else opcodes.get(key)
        if key in self._cut:
            self._cut.remove(key)
            self._kept_at[key] = len(self._out)
            translation = opcodes.text(str(value.text)) + opcodes.put(key)
        self._push(value, translation)

    def _replace(self, opcode: pickletools.OpcodeInfo, arg: object, raw: bytes) -> None:
        """Push the result of an opcode that takes values from the stack, or none."""
        values, start = self._popped(opcode.stack_before)
        if opcode.name == "GLOBAL":
            module, _, name = str(arg).partition(" ")
            self._push_named((module, name))
        elif opcode.name == "STACK_GLOBAL":
            self._push_named(self._cut_texts(values, start))
        elif opcode.name in opcodes.ADDED:
            self._add(opcode.name, values, raw)
        elif opcode.name in opcodes.MADE:
            self._make(opcode.name, values, raw)
        else:
            self._push_result(opcode, arg, values, raw)

    def _popped(self, before: list[pickletools.StackObject]) -> tuple[list[_Value], int]:
        """Take what an opcode takes from the stack; return also where the translation of the first value begins."""
        first = len(self._stack) - len(before)
        if pickletools.markobject in before:
            first = self._marks.pop() - before.index(pickletools.markobject)
        if first < (self._marks[-1] if self._marks else 0):
            raise ValueError(f"values are missing for the opcode at {len(self._out)}")
        values, start = self._stack[first:], (self._starts[first:] or [len(self._out)])[0]
        del self._stack[first:], self._starts[first:]
        return values, start

    def _cut_texts(self, values: list[_Value], start: int) -> _Name:
        """Take a module and a name out of the translation; they may be pushed again later."""
        module, name = (value.text for value in values)
        if module is None or name is None or len(module + name) > _LONGEST_NAME:
            raise pickle.UnpicklingError("a name that is none")
        keys = [key for value in values for key in value.keys if self._memo[key] is value]
        if len(keys) > _MOST_KEYS:
            raise pickle.UnpicklingError("a name that is kept again and again")
        del self._out[start:]
        self._cut |= {key for key in keys if self._kept_at[key] >= start}
        return module, name

    def _push_named(self, name: _Name) -> None:
        if name not in KNOWN:
            self.objects[".".join(name)] = None
        self._push(_Value(name=name), opcodes.named(*name) if name in KNOWN else opcodes.STAND_IN)

    def _add(self, opcode: str, values: list[_Value], raw: bytes) -> None:
        """Add to a value: to a list or mapping, or the state of an object."""
        into = values[0]
        if opcode == "BUILD" and not (into.is_made and (into.is_foreign or into.name == _ORDERED)):
            raise pickle.UnpicklingError("a state of something else")
        if into.is_foreign and not into.is_made:
            raise pickle.UnpicklingError(_foreign(into.name))
        into.num += sum(value.num for value in values[1:])
        self._stack.append(into)
        self._starts.append(len(self._out))
        self._out += opcodes.ADDED[opcode] if into.is_foreign else raw

    def _make(self, opcode: str, values: list[_Value], raw: bytes) -> None:
        """Make an object of a class or function and its arguments."""
        maker = values[0]
        if maker.is_made or maker.name is None or (opcode == "REDUCE" and maker.is_foreign and maker.name not in INERT):
            raise pickle.UnpicklingError(_foreign(maker.name))
        made = _Value(1 + sum(value.num for value in values), name=maker.name, is_made=True)
        self._push(made, opcodes.MADE[opcode] if maker.is_foreign else raw)

    def _push_result(self, opcode: pickletools.OpcodeInfo, arg: object, values: list[_Value], raw: bytes) -> None:
        translation = opcodes.PUSHED[opcode.name](arg) if opcode.name in opcodes.PUSHED else raw
        if not opcode.stack_after:
            self._out += translation
            return
        largest = max((value.largest for value in values), default=arg if isinstance(arg, int) else 0)
        if opcode.name == "BINPERSID" and largest > self._num_bytes:
            # The legacy format allocates the length that it reads here, before the data.
            raise pickle.UnpicklingError("a storage longer than the file")
        text = str(arg) if opcode.name in opcodes.TEXTS else None
        set_ = ("builtins", "set") if opcode.name == "EMPTY_SET" else None
        num = 1 + sum(value.num for value in values)
        self._push(_Value(num, largest, text, set_, set_ is not None), translation)

    def _push(self, value: _Value, translation: bytes) -> None:
        self._spend(value.num)
        self._stack.append(value)
        self._starts.append(len(self._out))
        self._out += translation

    def _spend(self, num: int) -> None:
        self._left -= num
        if self._left < 0:
            raise EndlessPickleError


def _foreign(name: _Name | None) -> str:
    return f"GLOBAL {'.'.join(name)}" if name else "a call of something else"
