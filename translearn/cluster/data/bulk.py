"""Inspects a source's images on all of a Ray cluster's CPUs, as a stream in the order of the listing."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import ray

from translearn.cluster.data.pinned import here_if_local
from translearn.data.formats.reader import Reader
from translearn.data.ingest.inspection import inspect_batch
from translearn.data.ingest.plan import IngestPlan, inspected
from translearn.data.ingest.schema import INSPECTED

_MIN_ROWS = 10_000  # below, Ray Data takes longer to start than one process to finish


def inspected_in_parallel(plan: IngestPlan, batch_rows: int = 64, min_rows: int = _MIN_ROWS) -> Iterator[pa.Table]:
    """Yield the rows of ``inspected(plan)``, in the same order, from Ray Data's streaming executor.

    Memory holds the batches in flight, not the data set. Files on a local disk are read on this node
    only. What is too small, or could not be placed, is inspected in this process.

    Args:
        plan: A checked source.
        batch_rows: Rows a task.
        min_rows: The least rows for which Ray is used.

    Yields:
        Tables of schema ``INSPECTED``.
    """
    placement = _placement(plan.reader)
    if len(plan.listing) < min_rows or placement is None:
        yield from inspected(plan, batch_rows)
        return
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    inspect = functools.partial(inspect_batch, reader=plan.reader, max_pixels=plan.options.max_pixels)
    rows = ray.data.from_arrow(list(plan.batches(batch_rows)))
    rows.context.execution_options.preserve_order = True
    rows = rows.map_batches(inspect, batch_format="pyarrow", batch_size=None, zero_copy_batch=True, **placement)
    for batch in rows.iter_batches(batch_size=None, batch_format="pyarrow"):
        yield batch.select(INSPECTED.names).cast(INSPECTED)


def _placement(reader: Reader) -> dict[str, Any] | None:
    """Where tasks may run, as options of a Ray task; None where this node has no CPU for local files."""
    here = ray.get_runtime_context().get_node_id()
    node = next(node for node in ray.nodes() if node["NodeID"] == here)
    if reader.is_local and not node["Resources"].get("CPU"):
        return None
    return here_if_local(reader.is_local)
