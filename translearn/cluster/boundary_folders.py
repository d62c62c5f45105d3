"""Where a node keeps boundaries, and how every node is rid of what processes that were killed left there.

A process that ends in peace deletes what it was the last to use; a lane that is killed cannot. No torch here: a new
process on a remote node imports this in no time.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import ray

from translearn.boundary.node_folder import NodeFolder
from translearn.cluster.each_node import nodes_with_cpus, on_each

SHARED_MEMORY = Path("/dev/shm")
_NAME = f"translearn-{os.getuid()}-boundaries"
#: Workers that were told to end may still hold their boundaries.
_PATIENCE_S = 5.0
_ANSWER_S = 60.0


def memory_folder() -> Path:
    """The one in memory; on the disk where a node has no file system in memory."""
    root = SHARED_MEMORY if SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())
    return root / _NAME / "kept-memory"


def disk_folder() -> Path:
    """The one on the temporary disk."""
    return Path(tempfile.gettempdir()) / _NAME / "kept-disk"


def sweep() -> None:
    """Deletes what lies in this node's folders, unless processes that live still hold it, or the disk refuses."""
    deadline = time.monotonic() + _PATIENCE_S
    while any(map(_is_left, (memory_folder(), disk_folder()))) and time.monotonic() < deadline:
        time.sleep(0.1)


def sweep_each_node() -> None:
    """``sweep`` on every node of the cluster, and on the driver's; those that do not answer are left alone."""
    here = {"NodeID": ray.get_runtime_context().get_node_id()}
    others = [node for node in nodes_with_cpus() if node["NodeID"] != here["NodeID"]]
    with suppress(ray.exceptions.RayError):
        on_each([here, *others], sweep, timeout_s=_ANSWER_S)


def _is_left(folder: Path) -> bool:
    """Tries to delete a folder; whether it is still there."""
    if any(folder.parent.glob(f"{folder.name}*")):
        with suppress(OSError):
            NodeFolder(folder).close()
    return folder.exists()
