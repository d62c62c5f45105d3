"""Placement of Ray Data's tasks."""

from __future__ import annotations

from typing import Any

import ray


def here_if_local(is_local: bool) -> dict[str, Any]:
    """Return a task's options: on this node alone where its files are in a local folder, else anywhere."""
    if not is_local:
        return {}
    return {"label_selector": {"ray.io/node-id": ray.get_runtime_context().get_node_id()}}
