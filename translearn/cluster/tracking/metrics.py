"""Figures for Prometheus: Ray exports them under names that begin with ``ray_``."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable
from functools import cache
from statistics import fmean
from typing import Any

from ray.util.metrics import Counter, Gauge

_STATES = ("waiting", "running", "done", "stopped", "failed")


class StepMetrics:
    """The figures of one step of a study: search, refits, pre-training."""

    def __init__(self, study: str, step: str) -> None:
        """Name the step; figures of steps and studies stand beside each other."""
        self._tags = {"study": study, "step": step}

    def take(self, row: dict[str, Any], runs: Iterable[dict[str, Any]]) -> None:
        """Count an epoch, and show the state of all runs.

        Args:
            row: The epoch's figures.
            runs: The last figures of each run, with its ``status``.
        """
        if "epoch" in row and "images_per_s" in row:
            _counter("translearn_epochs", "Epochs trained").inc(tags=self._tags)
        listed = list(runs)
        states = Counts(run["status"] for run in listed)
        for state in _STATES:
            _gauge("translearn_runs", "Runs by state", "state").set(states[state], {**self._tags, "state": state})
        speeds = [run["images_per_s"] for run in listed if run["status"] == "running" and "images_per_s" in run]
        what = "Training images a second of a run in its last epoch, mean over running runs"
        _gauge("translearn_images_per_second", what).set(fmean(speeds) if speeds else 0.0, self._tags)


def show_quarantined(dataset: str, num: int) -> None:
    """Show how many bad images an ingest left out."""
    gauge = _gauge("translearn_quarantined_images", "Bad images that ingest left out", keys=("dataset",))
    gauge.set(num, {"dataset": dataset})


@cache  # a metric is made once in a process
def _counter(name: str, what: str) -> Any:
    return Counter(name, what, ("study", "step"))


@cache
def _gauge(name: str, what: str, *more: str, keys: tuple[str, ...] = ("study", "step")) -> Any:
    return Gauge(name, what, (*keys, *more))
