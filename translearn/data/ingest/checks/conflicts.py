"""One picture under two labels: equal images of a data set, within a split or across, that have different classes."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from translearn.data.ingest.schema import CONFLICTS
from translearn.data.manifest import Shard
from translearn.data.notes import Note, note
from translearn.storage.folder import Folder


def label_conflicts(folder: Folder, shards: Sequence[Shard], classes: Sequence[str]) -> pa.Table:
    """Return the images whose picture has several labels, of schema ``CONFLICTS``, in order of digest and id.

    Args:
        folder: Of the data set.
        shards: Its files, written whole.
        classes: The names of the labels.
    """
    wanted = ["digest", "id", "split", "label"]
    parts = [pq.ParquetFile(folder.file(shard.file), filesystem=folder.fs).read(wanted) for shard in shards]
    rows = pa.concat_tables(parts) if parts else pa.table({name: [] for name in wanted})
    labels = rows.group_by("digest").aggregate([("label", "count_distinct")])
    several = labels.filter(pc.greater(labels["label_count_distinct"], 1))["digest"]
    found = rows.filter(pc.is_in(rows["digest"], value_set=several.combine_chunks()))
    names = pc.take(pa.array(classes, pa.string()), found["label"].cast(pa.int64()))
    found = found.set_column(3, "label", names).cast(CONFLICTS)
    return found.sort_by([("digest", "ascending"), ("id", "ascending"), ("split", "ascending")])


def num_conflicts(found: pa.Table) -> int:
    """Return the number of pictures in a table of ``label_conflicts``."""
    return int(pc.count_distinct(found["digest"]).as_py())


def conflict_notes(found: pa.Table) -> list[Note]:
    """Return a note on the pictures of a table of ``label_conflicts``."""
    pictures: dict[str, dict[str, str]] = {}
    for row in found.to_pylist():
        pictures.setdefault(row["digest"], {}).setdefault(row["label"], row["id"])
    shown = [" and ".join(f"{name} as {label}" for label, name in images.items()) for images in pictures.values()]
    return note("pictures under several labels, kept (conflicts.parquet lists them)", sorted(shown))
