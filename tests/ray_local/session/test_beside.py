"""Two local Rays on one machine: the processes of each find their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import ray
from ray.util.state import get_actor

pytestmark = pytest.mark.ray

NEWER = """
import sys
from translearn.cluster.session import session
with session("local", dashboard=True, num_cpus=1):
    print("started", flush=True)
    sys.stdin.read()
"""


@contextmanager
def a_newer_ray() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", NEWER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == "started\n"
        yield
    finally:
        try:
            process.communicate("", timeout=60)
        finally:
            process.kill()


@pytest.mark.slow
def test_an_actor_is_alive_also_to_itself_when_another_ray_was_started_later(ray_session: str) -> None:
    @ray.remote(num_cpus=0)
    class Actor:
        def state(self) -> str | None:
            """What Ray Train's PlacementGroupCleaner asks of a controller, from where it asks."""
            found = get_actor(ray.get_runtime_context().get_actor_id())
            return found.state if found else None

    actor = Actor.remote()
    with a_newer_ray():
        assert ray.get(actor.state.remote()) == "ALIVE"
