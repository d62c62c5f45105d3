"""``translearn export``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from translearn.cli.options import Commands, add_json
from translearn.deploy.export.kinds import FORMATS, INT8
from translearn.machine import allowed_cpus

if TYPE_CHECKING:
    from translearn.deploy.export.export import Exported
    from translearn.deploy.export.request import ExportRequest


def add(commands: Commands) -> None:
    """Add the command."""
    export = commands.add_parser("export", help="a trained model as a file for other runtimes")
    export.set_defaults(do=_export)
    export.add_argument("model", metavar="MODEL", help="a study's model/, or the study's directory")
    export.add_argument("--format", required=True, choices=FORMATS)
    export.add_argument("--out", required=True, metavar="FILE", help=f"to write: {', '.join(FORMATS.values())}")
    export.add_argument(
        "--int8", nargs="?", choices=INT8, const=INT8[0], help="quantise an ONNX file; static where no method is given"
    )
    export.add_argument(
        "--check", metavar="SRC", help="images to check the file on; default: the study's validation images"
    )
    export.add_argument("--overwrite", action="store_true", help="replace FILE")
    add_json(export)


def _export(options: argparse.Namespace) -> dict[str, Any]:
    from translearn.deploy.export.request import check_export

    request = check_export(options.model, options.format, options.out, options.int8, options.check, options.overwrite)
    from translearn.cluster.tracking.progress import followed
    from translearn.deploy.export.export import export
    from translearn.training.precision import prepare_process

    prepare_process(allowed_cpus())
    exported = export(request, lambda parts, total: followed(parts, total, "images"))
    for line in _lines(request, exported):
        print(line)
    return _result(request, exported)


def _lines(request: ExportRequest, exported: Exported) -> list[str]:
    found = exported.comparison
    same = "the same class for every one" if not found.changed else f"another class for {found.changed:,}"
    errors = f", error {found.errors[1]:.1%} instead of {found.errors[0]:.1%}" if request.int8 and found.errors else ""
    one, many = exported.latency_ms.values()
    return [
        f"{exported.address}: {exported.num_bytes / 1e6:.1f} MB, described in {exported.address}.json",
        f"Checked on {found.num:,} {request.samples.of}: {same}, largest difference of a probability "
        f"{found.largest:.1g}{errors}",
        f"Milliseconds an image: {one['file']:.2f} alone, {many['file']:.2f} in a batch of {max(exported.latency_ms)}; "
        f"the network in PyTorch {one['network']:.2f} and {many['network']:.2f}",
    ]


def _result(request: ExportRequest, exported: Exported) -> dict[str, Any]:
    found = exported.comparison
    errors = dict(zip(("network", "file"), found.errors, strict=True)) if found.errors else None
    return {
        "out": exported.address,
        "format": request.kind,
        "int8": request.int8,
        "bytes": exported.num_bytes,
        "images": found.num,
        "changed": found.changed,
        "largest_difference": found.largest,
        "errors": errors,
        "latency_ms": exported.latency_ms,
    }
