"""``translearn predict``."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from translearn.cli.options import Commands, add_json, quiet
from translearn.machine import allowed_cpus

#: From so many images on a local Ray is worth its start, on a machine of more cores than one process decodes with.
_MANY, _MOST_THREADS = 10_000, 8

if TYPE_CHECKING:
    import pyarrow as pa

    from translearn.deploy.request import Request


def add(commands: Commands) -> None:
    """Add the command."""
    predict = commands.add_parser("predict", help="classes and probabilities of images, by a trained model")
    predict.set_defaults(do=_predict)
    predict.add_argument("model", metavar="MODEL", help="a study's model/, or the study's directory")
    predict.add_argument(
        "source", metavar="SRC", nargs="+", help="a folder of images, image files, or a CSV or Parquet file"
    )
    predict.add_argument("--out", required=True, metavar="FILE", help="to write: .csv, .parquet or .json")
    predict.add_argument("--top", type=int, metavar="K", help="the K best classes instead of all")
    predict.add_argument("--overwrite", action="store_true", help="replace FILE")
    predict.add_argument(
        "--address", metavar="ADDRESS", help="a Ray cluster to predict on; default: RAY_ADDRESS, else this machine"
    )
    add_json(predict)


def _predict(options: argparse.Namespace) -> dict[str, Any]:
    quiet()
    from translearn.data.notes import notes_of
    from translearn.deploy.request import check_request

    request = check_request(options.model, options.source, options.out, options.top, options.overwrite)
    for note in notes_of(request.listing):
        print(f"{options.source[0]}: {note}")
    started = time.monotonic()
    num_unreadable = _write(request, _address(options.address, len(request.listing)))
    seconds, num = time.monotonic() - started, len(request.listing)
    folder, name = request.out
    reasons = " (column reason)" if num_unreadable else ""
    print(f"{num:,} images, of which {num_unreadable:,} could not be read{reasons}: {folder.address(name)}")
    return {"images": num, "unreadable": num_unreadable, "out": folder.address(name), "seconds": round(seconds, 3)}


def _address(given: str | None, num_images: int) -> str | None:
    """Return the Ray to predict on; None for this process alone, which decodes with eight threads at most."""
    many = num_images >= _MANY and allowed_cpus() > _MOST_THREADS
    return given or os.environ.get("RAY_ADDRESS") or ("local" if many else None)


def _write(request: Request, address: str | None) -> int:
    """Write the predictions as they come; return how many images could not be read."""
    from translearn.cluster.tracking.progress import followed
    from translearn.deploy.output import writer
    from translearn.deploy.predictions import schema
    from translearn.storage.whole_file import whole_file

    num_unreadable, columns = 0, schema(request.info.classes, request.top)
    folder, name = request.out
    with (
        _predictions(request, address) as tables,
        whole_file(folder, name) as path,
        writer(path, name, columns) as write,
    ):
        for table in followed(tables, len(request.listing), "images"):
            write(table)
            num_unreadable += len(table) - table["reason"].null_count
    return num_unreadable


@contextmanager
def _predictions(request: Request, address: str | None) -> Iterator[Iterator[pa.Table]]:
    """Yield the tables of predictions, from a Ray cluster or from this process."""
    if address:
        from translearn.cluster.data.predict_many import predicted_on_cluster
        from translearn.cluster.session import session

        with session(address, dashboard=False):
            yield predicted_on_cluster(request)
        return
    from translearn.deploy.bulk import predicted
    from translearn.deploy.model import load_model
    from translearn.training.precision import prepare_process

    prepare_process(allowed_cpus())
    yield predicted(load_model(request.folder.uri), request.reader, request.listing, request.top)
