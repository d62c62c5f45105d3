"""The store of finished trials: a file a study under the storage root, for later studies to start from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from scipy.stats import entropy

from translearn.cluster.tracking.console import say
from translearn.config import StudySpec
from translearn.errors import StorageError
from translearn.models.network import skeleton
from translearn.models.sources import Source
from translearn.storage.folder import Folder
from translearn.study.datasets.prepare import Splits
from translearn.study.directory import RANKING_TABLE
from translearn.study.tables import TRIAL_SCHEMA, table

#: Of the storage root. A study's name begins with a letter or a digit, so none is in the way.
HISTORY = "_history"
_SCORE = "knn"

_text, _int, _float = pa.string(), pa.int64(), pa.float64()
_OF_TRIAL = (
    "trial_id",
    "source",
    "arch",
    "freeze_depth",
    "lr",
    "weight_decay",
    "status",
    "epochs",
    "val_error",
    "val_loss",
)
HISTORY_SCHEMA = pa.schema(
    [
        ("study", _text),
        ("target_fingerprint", _text),
        ("num_classes", _int),
        ("images_per_class", _float),
        ("label_entropy", _float),
        ("image_size", _int),
        ("optimizer", _text),
        ("full_epochs", _int),
        *(TRIAL_SCHEMA.field(name) for name in _OF_TRIAL),
        ("kind", _text),
        ("source_fingerprint", _text),
        ("num_parameters", _int),
        ("num_source_classes", _int),
        ("source_error", _float),
        ("source_score", _float),
    ]
)


def target_features(spec: StudySpec, splits: Splits) -> dict[str, Any]:
    """Return a study's target as columns of ``HISTORY_SCHEMA``."""
    num_classes = len(splits.dataset.manifest.classes)
    counts = np.bincount(splits.train.labels, minlength=num_classes)
    return {
        "target_fingerprint": splits.dataset.manifest.fingerprint,
        "num_classes": num_classes,
        "images_per_class": len(splits.train) / num_classes,
        "label_entropy": float(entropy(counts)),
        "image_size": spec.target.image_size,
    }


def source_scores(folder: Folder) -> dict[str, float]:
    """Return each source's kNN score at its last stage on the target, by name; empty where no ranking was made."""
    if not folder.exists(RANKING_TABLE):
        return {}
    rows = [row for row in folder.read_table(RANKING_TABLE).to_pylist() if row["score"] == _SCORE]
    return {row["source"]: row["value"] for row in sorted(rows, key=lambda row: row["depth"])}


def remember(
    spec: StudySpec, folder: Folder, splits: Splits, sources: dict[str, Source], trials: list[dict[str, Any]]
) -> None:
    """Add a study's trials to the store; those of an earlier run of the study are replaced.

    Args:
        spec: The study.
        folder: Its directory.
        splits: Its target.
        sources: Every source by name, scratch among them.
        trials: The rows of ``trials.parquet``.
    """
    store, name = Folder.open(spec.storage) / HISTORY, f"{spec.name}.parquet"
    common = {"study": spec.name, "optimizer": spec.train.optimizer, "full_epochs": spec.search.epochs}
    common |= target_features(spec, splits)
    scores = source_scores(folder)
    known = {name: _source_features(source, scores.get(name)) for name, source in sources.items()}
    made = table([{**trial, **common, **known[trial["source"]]} for trial in trials], HISTORY_SCHEMA)
    if not _has(store, name, made):
        store.write_table(name, made)


def _has(store: Folder, name: str, made: pa.Table) -> bool:
    """Return whether the store holds just these trials."""
    try:
        # As text, because NaN equals NaN there.
        return store.exists(name) and repr(store.read_table(name).to_pylist()) == repr(made.to_pylist())
    except StorageError:
        return False


def recall(store: Folder) -> list[dict[str, Any]]:
    """Return the trials of all studies in a store, by the studies' names; a damaged file is named and left out.

    Args:
        store: The folder ``_history`` of a storage root; it need not exist.
    """
    names = [name for name in store.names() if name.endswith(".parquet") and not name.startswith(".")]
    return [row for name in names for row in _rows(store, name)]


def _rows(store: Folder, name: str) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = store.read_table(name).cast(HISTORY_SCHEMA).to_pylist()
    except (StorageError, pa.ArrowException, ValueError) as error:
        reason = str(error) if isinstance(error, StorageError) else f"{store.address(name)}: has other columns."
        say(f"warning: a past study is left out: {reason}")
        return []
    return rows


def _source_features(source: Source, score: float | None) -> dict[str, Any]:
    backbone = skeleton(source.arch)
    return {
        "kind": source.kind,
        "source_fingerprint": source.fingerprint,
        "num_parameters": sum(p.numel() for n, p in backbone.named_parameters() if backbone.stage_of(n) != "head"),
        "num_source_classes": len(source.classes) if source.classes else None,
        "source_error": source.source_error,
        "source_score": score,
    }
