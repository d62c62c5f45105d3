"""Ray Data gives the rows of the serial path, in the same order."""

from __future__ import annotations

import os

import pytest

from translearn.data.ingest.ingest import IngestOptions, ingest, inspected, plan_ingest
from translearn.storage.folder import Folder

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def local_ray():
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False)
    yield
    ray.shutdown()


def _files(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_parallel_ingest_writes_the_same_bytes(local_ray, tmp_path):
    from translearn.cluster.data.bulk import inspected_in_parallel
    from translearn.data.images.pixels import encode_png

    source = tmp_path / "in"
    for number in range(300):
        path = source / f"class{number % 3}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"bad" if number % 100 == 50 else encode_png(_pixels(number)))
    plan = plan_ingest(str(source), IngestOptions(max_bad_fraction=0.02))
    ingest(plan, Folder.open(tmp_path / "serial"), inspected(plan))
    ingest(plan, Folder.open(tmp_path / "ray"), inspected_in_parallel(plan, batch_rows=16, min_rows=1))
    assert _files(tmp_path / "ray") == _files(tmp_path / "serial")


def _pixels(number: int):
    import numpy as np

    return np.full((8, 8), number % 256, dtype=np.uint8)
