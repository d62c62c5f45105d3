"""A local Ray's place on a machine that others share: its token, its user's name, its share of CPUs and memory."""

from __future__ import annotations

import getpass
import os
import secrets
import urllib.request
from pathlib import Path
from typing import Any

from ray._common.utils import get_system_memory
from ray._private import ray_constants

from translearn.cluster.start.ray_folder import choose_folder
from translearn.machine import allowed_cpus, allowed_memory

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
