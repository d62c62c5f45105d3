"""The input of a report: the files of a study, read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True, eq=False)
class StudyRecord:
    """A finished study.

    Attributes:
        spec: The resolved study file.
        provenance: Versions, commit, seeds, fingerprints, ``command``, times; any nest of plain values.
        evaluation: The content of evaluation.json (docs/evaluation.md).
        sources: A row a source: ``name, arch, kind, num_classes, source_error, fingerprint, seconds``, and its cost:
            ``num_parameters, mb``, and of ``cpu`` and ``gpu`` the ``..._latency_ms`` and ``..._images_per_s``.
        trials: A row a trial: ``trial_id, source, arch, freeze_depth, lr, status, reason, epochs,
            val_error, ..., seconds``; status is done, stopped or failed.
        curves: A row a run and epoch: ``stage`` (search, refit, pretrain), ``run, epoch, train_loss,
            val_loss, val_error, ...``; refits are called ``<candidate>-<n>``.
        mistakes: A row one of the worst mistakes: ``id, class, predicted, confidence, loss, image`` (PNG).
        datasets: Name to manifest: ``classes``, ``counts`` ({split: {class: number}}), ``num_quarantined``,
            ``num_leaks``, ``num_conflicts``, ``notes``, ``fingerprint``, ``source``.
        warnings: Lines on data that changed since the study ingested it.
        left_out: A line that names the sources that limits left out; empty without any.
    """

    spec: dict[str, Any]
    provenance: dict[str, Any]
    evaluation: dict[str, Any]
    sources: pa.Table
    trials: pa.Table
    curves: pa.Table
    mistakes: pa.Table
    datasets: dict[str, dict[str, Any]]
    warnings: tuple[str, ...] = ()
    left_out: str = ""
