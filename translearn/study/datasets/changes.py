"""Data that changed after a study ingested it: compared with the study's own copy, with which the study goes on."""

from __future__ import annotations

from collections.abc import Mapping

from translearn.config import IngestSpec, StudySpec
from translearn.data.dataset import Dataset, open_dataset
from translearn.data.ingest.ingest import LEAKS_FILE, QUARANTINE_FILE
from translearn.data.ingest.plan import IngestPlan, plan_ingest
from translearn.data.ingest.schema import SPLITS
from translearn.data.manifest import MANIFEST
from translearn.data.notes import printable
from translearn.errors import TranslearnError, fault
from translearn.storage.folder import Folder
from translearn.study.datasets.names import ingest_options, is_ingested, is_place
from translearn.study.directory import PROVENANCE

_GOES_ON = "The study goes on with its own copy; use another name for a study of what is there now."

#: Label of an image by (id, split); None where it is not known.
_Rows = dict[tuple[str, str], str | None]


def copy_of(spec: StudySpec, name: str) -> Folder:
    """Return the folder of the study's own copy of a data set: of ``target``, or of a source's name."""
    return Folder.open(spec.storage) / spec.name / "data" / ("target" if name == "target" else f"source-{name}")


def at_hand(spec: StudySpec, name: str, data: str) -> str:
    """Return the location of the study's own copy of a data set where there is one, else the data as it is named."""
    copy = copy_of(spec, name)
    return copy.uri if copy.exists(MANIFEST) else data


def data_warnings(spec: StudySpec) -> list[str]:
    """Return a line for each data set that is not any more what the study ingested, or is gone."""
    found = []
    for name, (data, ingest) in _named(spec).items():
        copy = copy_of(spec, name)
        if is_place(data) and not is_ingested(data) and copy.exists(MANIFEST):
            what = _changed(data, ingest, open_dataset(copy))
            found += [f"{name}: {data} {what}. {_GOES_ON}"] if what else []
    return found


def replaced_faults(spec: StudySpec) -> list[str]:
    """Return a line for each ingested data set that is another than the one with which the study began."""
    folder = Folder.open(spec.storage) / spec.name
    if not folder.exists(PROVENANCE):
        return []
    began = folder.read_json(PROVENANCE).get("data_fingerprints", {})
    now = {
        name: open_dataset(data).manifest.fingerprint
        for name, (data, _) in _named(spec).items()
        if name in began and is_ingested(data)
    }
    rule, remedy = "must be the data set that the study began with", "Put it back, or give the study another name."
    return [
        fault(f"{name}: data", f"{rule} ({began[name][:12]})", fingerprint[:12], remedy)
        for name, fingerprint in now.items()
        if fingerprint != began[name]
    ]


def _named(spec: StudySpec) -> dict[str, tuple[str, IngestSpec]]:
    own = {source.name: source.own_data for source in spec.sources if source.own_data}
    return {**own, "target": (spec.target.data, spec.target.ingest)}


def _changed(data: str, ingest: IngestSpec, dataset: Dataset) -> str:
    """Return how data differs from what was ingested of it; empty where it does not."""
    try:
        plan = plan_ingest(data, ingest_options(ingest))
    except TranslearnError as error:
        return f"is not what the study ingested of it ({str(error).splitlines()[0].rstrip('.')})"
    if plan.fingerprint() == dataset.manifest.listing_fingerprint:
        return ""
    return f"has changed since the study ingested it: {_difference(_offered(plan), _ingested(dataset))}"


def _difference(now: _Rows, then: Mapping[tuple[str, str], str | None]) -> str:
    labels_now, labels_then = _labels(now), _labels(then)
    both = labels_now.keys() & labels_then.keys()
    kinds = {
        "added": sorted(labels_now.keys() - both),
        "removed": sorted(labels_then.keys() - both),
        "with another label": sorted(
            name for name in both if labels_then[name] != labels_now[name] and None not in labels_then[name]
        ),
    }
    told = [f"{len(names):,} {kind} (first: {printable(names[0])})" for kind, names in kinds.items() if names]
    return f"images: {', '.join(told)}" if told else "other splits, or another order of the classes"


def _labels(rows: Mapping[tuple[str, str], str | None]) -> dict[str, set[str | None]]:
    """Return the labels of each id, which may be there once in each split."""
    found: dict[str, set[str | None]] = {}
    for (name, _), label in rows.items():
        found.setdefault(name, set()).add(label)
    return found


def _offered(plan: IngestPlan) -> _Rows:
    rows = plan.listing.select(["id", "split", "label"]).to_pylist()
    return {(row["id"], row["split"]): None if row["label"] is None else plan.classes[row["label"]] for row in rows}


def _ingested(dataset: Dataset) -> _Rows:
    """Return the rows of a data set, and those that were left out of it, whose labels are not known."""
    tables = [dataset.folder.read_table(name) for name in (QUARANTINE_FILE, LEAKS_FILE)]
    found: _Rows = {(row["id"], row["split"]): None for table in tables for row in table.to_pylist()}
    for split in SPLITS:
        for table in dataset.tables(split, ["id", "label"]):
            for row in table.to_pylist():
                found[row["id"], split] = dataset.manifest.classes[row["label"]]
    return found
