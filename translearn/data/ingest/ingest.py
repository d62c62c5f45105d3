"""Writing of inspected rows as an ingested data set: shards, tables of bad images and leaks, manifest last."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pyarrow as pa

from translearn import __version__
from translearn.data.dataset import Dataset, open_dataset
from translearn.data.ingest.checks.conflicts import conflict_notes, label_conflicts, num_conflicts
from translearn.data.ingest.options import IngestOptions
from translearn.data.ingest.plan import IngestPlan, inspected, plan_ingest
from translearn.data.ingest.schema import ROWS, SPLITS
from translearn.data.ingest.shards import ShardWriter, by_split
from translearn.data.ingest.tally import Tally, class_counts
from translearn.data.manifest import MANIFEST, Manifest
from translearn.errors import DataError, fault, raise_faults
from translearn.storage.folder import Folder

__all__ = ["IngestOptions", "IngestPlan", "check_out", "ingest", "inspected", "plan_ingest"]

QUARANTINE_FILE, LEAKS_FILE, CONFLICTS_FILE = "quarantine.parquet", "leaks.parquet", "conflicts.parquet"
_STARTED = "ingest-started.json"  # so that only what an ingest left half done is ever deleted
_OURS = re.compile(
    rf"(test|val|train)-\d{{5}}\.parquet|{QUARANTINE_FILE}|{LEAKS_FILE}|{CONFLICTS_FILE}|{_STARTED}|\..*\.part"
)


def ingest(plan: IngestPlan, out: Folder, batches: Iterable[pa.Table]) -> Dataset:
    """Write a data set, or return the one that an earlier ingest of the same plan finished in ``out``.

    Args:
        plan: The plan of the ingest.
        out: An empty or new folder, or that of an earlier ingest.
        batches: ``inspected(plan)`` or the same rows in the same order from elsewhere; not touched
            when the data set is there already.

    Returns:
        The data set. The same source and options give the same bytes, however ``batches`` are cut.

    Raises:
        DataError: ``out`` holds something else; too many images are bad; a class lost all its images.
    """
    if out.exists(MANIFEST):
        return _finished(plan, out)
    _start(plan, out)
    writer, tally = ShardWriter(out), Tally(plan.options.drop_leaks, plan.options.max_pixels)
    for batch in batches:
        for rows in by_split(tally.kept(batch)):
            writer.add(rows.select(ROWS.names).cast(ROWS))
    writer.flush()
    out.write_table(QUARANTINE_FILE, tally.quarantine_table())
    out.write_table(LEAKS_FILE, tally.leaks_table())
    raise_faults(_faults(plan, out, tally), DataError)
    conflicts = label_conflicts(out, writer.shards, plan.classes)
    out.write_table(CONFLICTS_FILE, conflicts)
    out.write_json(MANIFEST, _manifest(plan, writer, tally, conflicts).model_dump(mode="json"))
    out.remove_file(_STARTED)
    return open_dataset(out)


def _finished(plan: IngestPlan, out: Folder) -> Dataset:
    dataset = open_dataset(out)
    known, wanted = dataset.manifest, plan.options.recorded()
    faults = [
        fault(f"{out.uri}: {what}", f"must be {want!r} as in this ingest", repr(have), "Choose another OUT.")
        for what, have, want in (
            ("source", known.source, plan.source),
            ("listing of the source", known.listing_fingerprint, plan.fingerprint()),
            *((f"options.{name}", known.options.get(name), value) for name, value in wanted.items()),
        )
        if have != want
    ]
    raise_faults(faults, DataError)
    return dataset


def check_out(plan: IngestPlan, out: Folder) -> None:
    """Check that an ingest may write into a folder, without changing it.

    Raises:
        DataError: It holds something else than an earlier ingest of the same plan, finished or not.
    """
    if out.exists(MANIFEST):
        _finished(plan, out)
        return
    names = out.names()
    others = [name for name in names if not _OURS.fullmatch(name)]
    if names and (others or _STARTED not in names):
        shown = ", ".join((others or names)[:5])
        raise DataError(fault(out.uri, "must be empty or an earlier ingest's folder", shown, "Choose another OUT."))


def _start(plan: IngestPlan, out: Folder) -> None:
    check_out(plan, out)
    for name in out.names():
        out.remove_file(name)
    out.write_json(_STARTED, {"source": plan.source})


def _faults(plan: IngestPlan, out: Folder, tally: Tally) -> list[str]:
    faults, num_bad, limit = [], len(tally.quarantined), plan.options.max_bad_fraction
    if num_bad > limit * tally.num_seen:
        raised = f"--max-bad-fraction{_or_pixels(tally)}"
        remedy = f"See {out.address(QUARANTINE_FILE)} for the path and reason of each, or raise {raised}."
        shown = f"{num_bad} of {tally.num_seen} ({num_bad / tally.num_seen:.1%}; first: {_first_bad(tally)})"
        faults.append(fault(plan.source, f"must have at most {limit:.1%} bad images", shown, remedy))
    for split, classes in class_counts(tally.counts, SPLITS, plan.classes).items():
        empty = [name for name, count in classes.items() if not count]
        if empty:
            remedy = f"See {QUARANTINE_FILE} and {LEAKS_FILE} in {out.uri} for what was left out."
            shown = f"none of {', '.join(empty)}"
            faults.append(fault(f"{plan.source}: {split}", "must have a good image of each class", shown, remedy))
    return faults + tally.odd.faults(plan.source)


def _first_bad(tally: Tally) -> str:
    return f"{tally.quarantined[0]['id']} {tally.quarantined[0]['reason']}"


def _or_pixels(tally: Tally) -> str:
    return " or --max-pixels" if any("max_pixels" in row["reason"] for row in tally.quarantined) else ""


def _manifest(plan: IngestPlan, writer: ShardWriter, tally: Tally, conflicts: pa.Table) -> Manifest:
    return Manifest(
        translearn=__version__,
        source=plan.source,
        options=plan.options.recorded(),
        listing_fingerprint=plan.fingerprint(),
        classes=list(plan.classes),
        counts=class_counts(tally.counts, ("train", "val", "test"), plan.classes),
        image_sizes=tally.image_sizes(),
        white=tally.odd.white,
        fingerprint=tally.fingerprint(),
        shards=writer.shards,
        num_quarantined=len(tally.quarantined),
        num_leaks=len(tally.leaks),
        leaks_dropped=tally.leaks_dropped,
        num_conflicts=num_conflicts(conflicts),
        notes=[*plan.notes, *tally.notes(), *conflict_notes(conflicts)],
    )
