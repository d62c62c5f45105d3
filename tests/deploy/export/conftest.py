"""The images of a study."""

from __future__ import annotations

import pytest
from sources import split_folder

from translearn.data.ingest.ingest import IngestOptions, ingest, inspected, plan_ingest
from translearn.storage.folder import Folder


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Folder:
    """Ingested: 7 training and 3 validation images of each of the model's classes."""
    folder = tmp_path_factory.mktemp("ingested")
    splits = {"train": 7, "val": 3, "test": 1}
    plan = plan_ingest(str(split_folder(folder / "images", splits, ("cat", "dog", "newt"))), IngestOptions())
    ingest(plan, Folder.open(folder / "set"), inspected(plan))
    return Folder.open(folder / "set")
