"""A local Ray's place on a machine that others share: its files, its token, its share of CPUs and memory."""

from __future__ import annotations

import getpass
import os
import secrets
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from ray._common.utils import get_default_system_temp_dir, get_system_memory
from ray._private import ray_constants

from translearn.cluster.tracking.console import say
from translearn.data.images.on_disk import owned
from translearn.errors import InputError, StorageError, fault
from translearn.machine import allowed_cpus, allowed_memory

#: Bytes of a folder for temporary files: those of a Unix socket's address, less what Ray adds for its longest one.
_LONGEST = 107 - len("/ray/session_2026-11-30_09-24-07_123456_4194304/sockets/plasma_store")
#: What Ray makes there for all users.
_SHARED = ("ray", "_ray_lockfiles")
_HERE = ("127.0.0.1", "localhost")


def local_options(num_cpus: int | None = None) -> dict[str, Any]:
    """Return options of ``ray.init`` for a local Ray: what this process may use, and no more.

    Args:
        num_cpus: The CPUs; those that this process may use when None.
    """
    options: dict[str, Any] = {"num_cpus": num_cpus or allowed_cpus()}
    if (memory := allowed_memory()) < get_system_memory():  # which knows the outermost cgroup alone
        part = int(ray_constants.DEFAULT_OBJECT_STORE_MEMORY_PROPORTION * memory)
        store = max(part, ray_constants.OBJECT_STORE_MINIMUM_MEMORY_BYTES)
        options |= {"object_store_memory": store, "_memory": max(memory - store, 0)}
    return options


def prepare_process() -> None:
    """Set what a local Ray's processes need from the environment and may not find there, for the rest of this process.

    A folder that works; a user's name, which a container may not know; a token, where none can be kept in the home; and
    no proxy on the way to this machine itself.

    Raises:
        InputError: No folder for temporary files can be used.
    """
    choose_folder()
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = str(os.getuid())
    if not _keeps_token():
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    bypass_proxies()


def bypass_proxies() -> None:
    """Leave the proxies of the environment out for addresses of this machine."""
    proxies = urllib.request.getproxies_environment()
    if not proxies.keys() - {"no"} or proxies.get("no") == "*":
        return
    known = [part.strip() for name in ("no_proxy", "NO_PROXY") for part in os.environ.get(name, "").split(",")]
    left_out = ",".join(dict.fromkeys(part for part in (*known, *_HERE) if part))
    os.environ.update(no_proxy=left_out, NO_PROXY=left_out)


def choose_folder() -> None:
    """Make Ray keep its files in a folder that it can use, where ``RAY_TMPDIR`` or ``TMPDIR``, its own choice, is none.

    Raises:
        InputError: Neither these nor the usual folders can be used.
    """
    asked = [(name, os.environ[name]) for name in ("RAY_TMPDIR", "TMPDIR") if os.environ.get(name)][:1]
    reasons = []
    for name, place in [*asked, ("", "/tmp"), ("", tempfile.gettempdir()), ("", "/var/tmp")]:
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


def _keeps_token() -> bool:
    """Return whether Ray has a token, or needs none, or can make one at home."""
    given = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    if given or os.environ.get("RAY_AUTH_MODE", "token") != "token":
        return True
    try:
        folder = Path.home() / ".ray"
        if (folder / "auth_token").is_file():
            return os.access(folder / "auth_token", os.R_OK)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home, or none that can be written
        return False
    return os.access(folder, os.W_OK | os.X_OK)
