"""Predictions for many images on all workers of a cluster, as a stream in the order of their listing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import ray

from translearn.cluster.data.pinned import here_if_local
from translearn.cluster.slots import slots
from translearn.data.formats.reader import Reader
from translearn.deploy.bulk import predicted
from translearn.deploy.model import build_model
from translearn.deploy.predictions import schema
from translearn.deploy.request import Request
from translearn.errors import InputError, fault
from translearn.models import model_dir
from translearn.training.precision import prepare_process

_ROWS = 512  # a task: some batches, so that decoding and computing overlap in it
_MOST_CPUS = 4  # an actor without a GPU: more threads help one network less than a second network does


class _Predictor:
    """An actor that holds the model."""

    def __init__(self, model: tuple[Any], reader: Reader, top: int | None, cpus: int) -> None:
        prepare_process(cpus)
        self._model = build_model(*ray.get(model[0]))
        self._reader, self._top = reader, top

    def __call__(self, rows: pa.Table) -> pa.Table:
        return pa.concat_tables(predicted(self._model, self._reader, rows, self._top))


def predicted_on_cluster(request: Request) -> Iterator[pa.Table]:
    """Yield the tables of ``deploy.bulk.predicted``, from Ray Data's actors: one a GPU, or one for some CPUs.

    Images on this machine's disk are read here only.
    """
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    listing, columns = request.listing, schema(request.info.classes, request.top)
    num, shape = _actors(request.reader.is_local)
    rows = ray.data.from_arrow([listing.slice(first, _ROWS) for first in range(0, len(listing), _ROWS)])
    rows.context.execution_options.preserve_order = True
    rows.context.enable_progress_bars = False
    model = (ray.put(model_dir.load_model(request.folder)),)  # in a tuple Ray hands on the reference
    tables = rows.map_batches(
        _Predictor,
        fn_constructor_args=(model, request.reader, request.top, shape["num_cpus"]),
        batch_format="pyarrow",
        batch_size=None,
        zero_copy_batch=True,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=num),
        **shape,
        **here_if_local(request.reader.is_local),
    )
    for batch in tables.iter_batches(batch_size=None, batch_format="pyarrow"):
        yield batch.select(columns.names).cast(columns)


def _actors(here_only: bool) -> tuple[int, dict[str, int]]:
    """Return the number of actors, and the CPUs and GPUs of each."""
    here = ray.get_runtime_context().get_node_id()
    alive = [node for node in ray.nodes() if node["Alive"] and not (here_only and node["NodeID"] != here)]
    nodes = [node["Resources"] for node in alive if node["Resources"].get("CPU", 0) >= 1]
    if not nodes:
        rule, remedy = "must have a CPU where the images can be read", "Put the images on s3:// or gs://."
        raise InputError(fault("cluster", rule, "none on this node" if here_only else "none", remedy))
    with_gpus = [node for node in nodes if node.get("GPU", 0) >= 1]
    if with_gpus:
        cpus = max(1, min(int(node["CPU"] // node["GPU"]) for node in with_gpus))
        return slots(with_gpus, cpus, 1.0), {"num_cpus": cpus, "num_gpus": 1}
    cpus = min(_MOST_CPUS, min(int(node["CPU"]) for node in nodes))
    return slots(nodes, cpus, 0.0), {"num_cpus": cpus}
