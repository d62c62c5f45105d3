"""The names of backbones, read without importing torch: a wrong one is told before anything heavy starts."""

from __future__ import annotations

import difflib
import functools
import re
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from translearn.errors import fault

#: What stands before timm's names.
TIMM = "timm/"
# How both packages register a model: further decorators may stand between, each with what it is called with.
_REGISTERED = re.compile(r"^@register_model(?:\(\))?\n(?:@.*\n(?:(?![@d]).*\n)*)*def (\w+)\(", re.MULTILINE)


def is_timm(arch: str) -> bool:
    """Return whether a name is one of timm's."""
    return arch.startswith(TIMM)


def has_timm() -> bool:
    """Return whether timm is installed."""
    return find_spec("timm") is not None


def name_faults(arch: str, known: Sequence[str] | None = None) -> list[str]:
    """Return the fault of a name that is none of a backbone.

    Args:
        arch: The name.
        known: The names that there are. None: those that the package's source has, and that a program which has
            imported timm has registered there; no fault where there are none.
    """
    if is_timm(arch) and not has_timm():
        remedy = "Install it: pip install -c constraints.txt 'translearn[timm]'."
        return [fault("arch", "must be a backbone of a package that is here", f"{arch!r} without timm", remedy)]
    known = _known(arch) if known is None else known
    if arch in known or not known:
        return []
    near = difflib.get_close_matches(arch, known, n=1, cutoff=0.5)
    remedy = f"Did you mean {near[0]!r}?" if near else "`translearn backbones` lists them."
    return [fault("arch", "must be a known backbone", repr(arch), remedy)]


def _known(arch: str) -> Sequence[str]:
    if not is_timm(arch):
        return written_names("torchvision")
    registered = sys.modules["timm"].list_models() if "timm" in sys.modules else []
    return [*written_names("timm"), *(f"{TIMM}{name}" for name in registered)]


@functools.cache
def written_names(package: str) -> tuple[str, ...]:
    """Return the models that the source of ``torchvision`` or ``timm`` registers; none where it is not installed."""
    found = find_spec(package)
    files = Path(found.origin).parent.glob("models/*.py") if found and found.origin else []
    names = sorted(name for file in files for name in _REGISTERED.findall(file.read_text(errors="replace")))
    return tuple(f"{TIMM}{name}" if package == "timm" else name for name in names)
