"""Rows about an epoch of a run, and about a run that diverged."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch

from translearn.errors import NonFiniteError
from translearn.training.config import EpochResult, TrainConfig
from translearn.training.precision import resolve_precision

_FIGURES = tuple(field.name for field in fields(EpochResult) if field.name != "state")


def figures(result: EpochResult) -> dict[str, float]:
    """Return an epoch's figures, as rows of ``curves.parquet`` have them."""
    return {name: getattr(result, name) for name in _FIGURES}


def facts(config: TrainConfig, threads: int, device: torch.device) -> dict[str, Any]:
    """Return a run's precision and the threads of each worker."""
    return {"precision": resolve_precision(config.train.precision, device), "threads": threads}


def diverged(config: TrainConfig, error: NonFiniteError) -> dict[str, Any]:
    """Return the last row of a run that diverged: the worst error there is, and why."""
    return {"epochs": config.epochs, "epoch": error.epoch, "val_error": 1.0, "reason": str(error)}
