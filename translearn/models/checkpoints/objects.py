"""Names in a PyTorch file's pickle: those that tensors need, and those that a stand-in takes the place of."""

from __future__ import annotations

import itertools

import torch

_NUMBERS = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
_BUILTINS = ("builtins", "__builtin__")
_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")

#: Modules and names that reach torch: tensors need them.
KNOWN = {
    *(("torch", name) for name, value in vars(torch).items() if isinstance(value, torch.dtype)),
    *(("torch", f"{number}Storage") for number in _NUMBERS),
    *(("collections", "OrderedDict"), ("torch", "Size"), ("torch", "device")),
    *(("torch._utils", name) for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter")),
}
#: Calls that training leaves in its files beside tensors. They are not made: a stand-in takes the place of what they
#: would give. Any other call is refused, because a file that makes one may have been made to do harm.
INERT = {
    *itertools.product(("copyreg", "copy_reg"), ("_reconstructor",)),
    *itertools.product(_BUILTINS, ("set", "frozenset", "complex", "slice")),
    *itertools.product(("collections",), ("Counter", "defaultdict", "deque")),
    *itertools.product(("datetime",), ("date", "datetime", "time", "timedelta", "timezone")),
    *itertools.product(("pathlib", "pathlib._local"), ("Path", "PosixPath", "WindowsPath", "PurePosixPath")),
    *itertools.product(_NUMPY, ("scalar", "_reconstruct")),
    *itertools.product(("numpy.core.numeric", "numpy._core.numeric"), ("_frombuffer",)),
    *(("numpy", "dtype"), ("_codecs", "encode"), ("functools", "partial")),
    ("torch.serialization", "_get_layout"),
}


class StandIn:
    """Stand-in for a Python object of a file, of whatever class: it takes everything and keeps nothing."""

    def __init__(self, *args: object) -> None:
        """Take the arguments of the class, and keep none."""

    def __setstate__(self, state: object) -> None:
        """Take a state, and keep nothing of it."""
