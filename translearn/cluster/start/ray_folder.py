"""The folder of a local Ray's own files: one that can be written, with a path that is short enough for its sockets."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ray._common.utils import get_default_system_temp_dir

from translearn.cluster.tracking.console import say
from translearn.data.images.on_disk import owned
from translearn.errors import InputError, StorageError, fault

#: Bytes of a folder for temporary files: those of a Unix socket's address, less what Ray adds for its longest one.
_LONGEST = 107 - len("/ray/session_2026-11-30_09-24-07_123456_4194304/sockets/plasma_store")
#: What Ray makes there for all users.
_SHARED = ("ray", "_ray_lockfiles")
_VARIABLES, _USUAL = ("RAY_TMPDIR", "TMPDIR"), ("/tmp", "/var/tmp")


def choose_folder() -> None:
    """Make Ray keep its files in a folder that it can use, where ``RAY_TMPDIR`` or ``TMPDIR``, its own choice, is none.

    Raises:
        InputError: Neither these nor the usual folders can be used.
    """
    for name in _VARIABLES:
        _shorten(name)
    asked = [(name, os.environ[name]) for name in _VARIABLES if os.environ.get(name)][:1]
    reasons = []
    for name, place in [*asked, *(("", usual) for usual in _USUAL)]:
        folder, reason = _own(Path(place).absolute())
        if reason:
            reasons.append(f"{name or place} {reason}")
            continue
        if reasons and asked:
            say(f"{reasons[0]}, so Ray's own files are in {folder}/ray.")
        if str(folder) != get_default_system_temp_dir():
            os.environ["RAY_TMPDIR"] = str(folder)
        return
    rule = f"must be a folder that can be written, with a path of at most {_LONGEST} bytes"
    raise InputError(fault("TMPDIR", rule, "; ".join(reasons), "Set RAY_TMPDIR to such a folder."))


def _shorten(name: str) -> None:
    """Put a link into a variable whose folder has a path too long for sockets; the files lie where they were to lie."""
    place = os.environ.get(name, "")
    if len(os.fsencode(place)) <= _LONGEST or not os.access(place, os.W_OK | os.X_OK):
        return
    for short in _USUAL:
        try:
            link = owned(Path(short) / f"ray-{os.getuid()}") / hashlib.sha256(os.fsencode(place)).hexdigest()[:8]
            if not link.is_symlink():
                link.symlink_to(Path(place).absolute())
        except (OSError, StorageError):
            continue
        os.environ[name] = str(link)
        return


def _own(place: Path) -> tuple[Path, str]:
    """Return the folder to use in a place, and why it cannot be used; one of our own where another user's bars Ray."""
    if not place.is_dir():
        return place, "is no folder"
    if not os.access(place, os.W_OK | os.X_OK):
        return place, "cannot be written"
    folder = place if all(_is_open(place / name) for name in _SHARED) else place / f"ray-{os.getuid()}"
    if len(os.fsencode(folder)) > _LONGEST:
        return folder, f"is longer than {_LONGEST} bytes, too long for sockets"
    try:
        return (folder if folder == place else owned(folder)), ""
    except StorageError:
        return folder, "has a folder of another user in the way"


def _is_open(folder: Path) -> bool:
    return not folder.exists() or os.access(folder, os.W_OK | os.X_OK)
