"""GPUs that Ray has and torch cannot use are found before anything is trained."""

from __future__ import annotations

from typing import Any

import pytest

from translearn.cluster.resources import Resources
from translearn.cluster.start import cuda
from translearn.cluster.start.cuda import check_cuda
from translearn.errors import InputError

WITH, WITHOUT = Resources(1, 0.5, 1, 4), Resources(1, 0.0, 1, 4)
FOUND = [("node-1", "2.14.1+cpu", False), ("node-2", "2.14.1+cu130", True), ("node-3", "2.14.1+cpu", False)]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Three nodes with GPUs, and two where nothing is asked."""
    here = [{"Alive": True, "Resources": {"CPU": 4, "GPU": 2}}] * 3
    others = [{"Alive": True, "Resources": {"CPU": 4}}, {"Alive": False, "Resources": {"GPU": 2}}]
    monkeypatch.setattr(cuda.ray, "nodes", lambda: here + others)
    return here


def test_nodes_where_torch_has_no_cuda_are_one_line(
    nodes: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(cuda, "on_each", lambda *args, **_: asked.append(args[0]) or FOUND)
    with pytest.raises(InputError) as caught:
        check_cuda(WITH)
    assert str(caught.value) == (
        "cluster.gpus_per_worker: must be 0 where torch cannot use the GPUs that Ray has, but got 0.5 with torch "
        "2.14.1+cpu on node-1, torch 2.14.1+cpu on node-3. Install a torch with CUDA for the driver there "
        "(`nvidia-smi` shows it), or set it to 0."
    )
    assert asked == [nodes]


def test_nothing_is_asked_where_no_gpu_is_wanted_or_all_can_be_used(
    nodes: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "on_each", lambda *_, **__: pytest.fail("asked"))
    check_cuda(WITHOUT)
    monkeypatch.setattr(cuda, "on_each", lambda *_, **__: FOUND[1:2])
    check_cuda(WITH)
