"""What the networks of a study cost, measured once."""

from __future__ import annotations

import pyarrow as pa

from translearn.cluster.costs import measured_costs
from translearn.cluster.resources import Resources
from translearn.config import StudySpec
from translearn.models.cost import Cost
from translearn.storage.folder import Folder
from translearn.study.directory import COSTS, SOURCES
from translearn.study.tables import COST_SCHEMA, SOURCE_WITH_COST_SCHEMA, table


def costs_of(spec: StudySpec, folder: Folder, num_classes: int, resources: Resources) -> dict[str, Cost]:
    """Return the cost of each architecture of a study, measured once; leaves ``costs.parquet``."""
    if not folder.exists(COSTS):
        found = measured_costs(spec.archs, num_classes, spec.target.image_size, resources)
        folder.write_table(COSTS, table([vars(cost) for cost in found], COST_SCHEMA))
    return {row["arch"]: Cost(**row) for row in folder.read_table(COSTS).to_pylist()}


def sources_with_costs(folder: Folder) -> pa.Table:
    """Return ``sources.parquet`` with the columns of ``costs.parquet`` beside them."""
    costs = {row["arch"]: row for row in folder.read_table(COSTS).to_pylist()}
    rows = [costs[row["arch"]] | row for row in folder.read_table(SOURCES).to_pylist()]
    return table(rows, SOURCE_WITH_COST_SCHEMA)
