"""The ``ingest`` command: a source of images becomes a data set."""

from __future__ import annotations

from typing import Any

from translearn.cluster.bulk import inspected_in_parallel
from translearn.cluster.console import say
from translearn.data.ingest import IngestOptions, ingest, plan_ingest
from translearn.storage import Folder
from translearn.study.directory import nearest


def check_ingest(source: str, out: str, options: IngestOptions) -> None:
    """Raises DataError or StorageError where the source, the options or the place are no good."""
    plan_ingest(source, options)
    nearest(out).check_writable()


def run_ingest(source: str, out: str, options: IngestOptions) -> dict[str, Any]:
    """Ingests, and says what came of it."""
    plan = plan_ingest(source, options)
    say(f"ingesting {source}: {len(plan.listing)} images of {len(plan.classes)} classes")
    dataset = ingest(plan, Folder.open(out), inspected_in_parallel(plan))
    manifest = dataset.manifest
    counts = {split: dataset.num_examples(split) for split in ("train", "val", "test")}
    say(", ".join(f"{split} {count}" for split, count in counts.items()))
    if manifest.num_quarantined:
        say(f"{manifest.num_quarantined} bad images left out: see {dataset.folder.uri}/quarantine.parquet")
    if manifest.num_leaks:
        what = f"{manifest.leaks_dropped} left out" if options.drop_leaks else "kept; --drop-leaks leaves them out"
        say(f"{manifest.num_leaks} exact duplicates across splits ({what}): see {dataset.folder.uri}/leaks.parquet")
    say(f"data set: {dataset.folder.uri} (fingerprint {manifest.fingerprint[:12]})")
    return {
        "out": dataset.folder.uri,
        "classes": len(manifest.classes),
        "counts": counts,
        "num_quarantined": manifest.num_quarantined,
        "num_leaks": manifest.num_leaks,
        "fingerprint": manifest.fingerprint,
    }
