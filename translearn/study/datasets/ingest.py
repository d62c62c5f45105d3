"""The ``ingest`` command: a source of images becomes a data set."""

from __future__ import annotations

import dataclasses
import tempfile
from contextlib import closing
from typing import Any

import pyarrow.compute as pc

from translearn.cluster.data.bulk import inspected_in_parallel
from translearn.cluster.tracking.console import say
from translearn.cluster.tracking.metrics import show_quarantined
from translearn.cluster.tracking.progress import followed
from translearn.data.ingest.ingest import IngestOptions, ingest, plan_ingest
from translearn.data.ingest.schema import SPLITS
from translearn.storage.folder import Folder
from translearn.study.datasets.prepare import tell_notes


def dry_run_ingest(source: str, options: IngestOptions) -> None:
    """Show the options and what would be ingested, and ingest a few images into a folder that is deleted."""
    listing = plan_ingest(source, options).listing
    say("\n".join(f"{name}: {value}" for name, value in options.recorded().items()))
    for split in SPLITS:
        say(f"{split}: {pc.sum(pc.equal(listing['split'], split)).as_py()} images")
    sample = dataclasses.replace(options, limit_per_class=4, max_bad_fraction=1.0)
    with tempfile.TemporaryDirectory(prefix="translearn-") as out:
        say("\nthe same with at most 4 images of each class and split, which are deleted afterwards:")
        run_ingest(source, f"{out}/sample", sample)
    say("dry run: the source can be ingested; nothing of it was kept.")


def run_ingest(source: str, out: str, options: IngestOptions) -> dict[str, Any]:
    """Ingest, and print the outcome."""
    plan = plan_ingest(source, options)
    say(f"ingesting {source}: {len(plan.listing)} images of {len(plan.classes)} classes")
    with closing(followed(inspected_in_parallel(plan), len(plan.listing), "images")) as batches:
        dataset = ingest(plan, Folder.open(out), batches)
    manifest = dataset.manifest
    show_quarantined(out, manifest.num_quarantined)
    counts = {split: dataset.num_examples(split) for split in ("train", "val", "test")}
    say(", ".join(f"{split} {count}" for split, count in counts.items()))
    tell_notes(source, dataset)
    say(f"data set: {dataset.folder.uri} (fingerprint {manifest.fingerprint[:12]})")
    return {
        "out": dataset.folder.uri,
        "classes": len(manifest.classes),
        "counts": counts,
        "num_quarantined": manifest.num_quarantined,
        "num_leaks": manifest.num_leaks,
        "fingerprint": manifest.fingerprint,
    }
