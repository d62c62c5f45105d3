"""A search leaves no boundaries on any node, the driver's among them, and no node that is silent ends it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import ray

from translearn.cluster import boundary_folders


@pytest.mark.parametrize("with_cpus", [["here", "b"], ["a", "b"]])
def test_every_node_is_swept_once_also_that_of_a_driver_without_cpus(monkeypatch: Any, with_cpus: list[str]) -> None:
    asked: list[str] = []

    def on_each(nodes: list[dict[str, Any]], function: Any, **_: Any) -> None:
        assert function is boundary_folders.sweep
        asked.extend(node["NodeID"] for node in nodes)
        raise ray.exceptions.RayError("a node died")

    here = SimpleNamespace(get_node_id=lambda: "here")
    monkeypatch.setattr(ray, "get_runtime_context", lambda: here)
    monkeypatch.setattr(boundary_folders, "nodes_with_cpus", lambda: [{"NodeID": one} for one in with_cpus])
    monkeypatch.setattr(boundary_folders, "on_each", on_each)
    boundary_folders.sweep_each_node()
    assert sorted(asked) == sorted({"here", *with_cpus})
