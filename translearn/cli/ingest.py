"""``translearn ingest``."""

from __future__ import annotations

import argparse
from typing import Any

from translearn.cli.options import Commands, add_common, quiet
from translearn.config import IngestSpec


def add(commands: Commands) -> None:
    """Add the command."""
    ingest = commands.add_parser("ingest", help="make a data set of images")
    ingest.set_defaults(do=_ingest)
    ingest.add_argument("source", metavar="SRC", help="a folder, a manifest, sklearn:digits, torchvision:NAME, ...")
    ingest.add_argument("out", metavar="OUT", help="the new data set's directory")
    defaults = IngestSpec()
    ingest.add_argument("--split", type=float, nargs=3, default=defaults.split, metavar=("TRAIN", "VAL", "TEST"))
    ingest.add_argument("--max-bad-fraction", type=float, default=defaults.max_bad_fraction, metavar="F")
    ingest.add_argument(
        "--drop-leaks",
        action="store_true",
        help="leave out training images that val or test has too, nearly equal ones as well",
    )
    ingest.add_argument("--limit-per-class", type=int, metavar="N", help="at most N images of each class and split")
    ingest.add_argument("--group", metavar="REGEX", help=r"images that stay in one split: of one clip, clip(\d+)")
    ingest.add_argument("--max-pixels", type=int, default=defaults.max_pixels, metavar="N", help="width times height")
    add_common(ingest)


def _ingest(options: argparse.Namespace) -> dict[str, Any]:
    quiet()
    from translearn.data.ingest.options import IngestOptions
    from translearn.study.planning.look import check_ingest

    chosen = IngestOptions(
        split=tuple(options.split),
        max_bad_fraction=options.max_bad_fraction,
        drop_leaks=options.drop_leaks,
        limit_per_class=options.limit_per_class,
        group=options.group,
        max_pixels=options.max_pixels,
    )
    check_ingest(options.source, options.out, chosen)
    from translearn.cluster.session import session
    from translearn.study.datasets.ingest import dry_run_ingest, run_ingest

    with session(options.address, dashboard=False):
        if not options.dry_run:
            return run_ingest(options.source, options.out, chosen)
        dry_run_ingest(options.source, chosen)
        return {"dry_run": True}
