"""Comparisons of a study: transfer against scratch and against the linear probe, corrected for each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from translearn.evaluation.intervals.paired import holm
from translearn.evaluation.predictions import Predictions
from translearn.evaluation.verdict.transfer import Verdict, transfer_gain


def compare(transfer: Sequence[Predictions], baselines: dict[str, Sequence[Predictions]]) -> dict[str, dict[str, Any]]:
    """Return the verdict on transfer against each baseline, by role, as JSON; verdicts hold together at 95 %.

    Args:
        transfer: The transferred models' predictions on test, one a seed.
        baselines: By role, those of what transfer is compared with.
    """
    verdicts = [transfer_gain(transfer, found, len(baselines)) for found in baselines.values()]
    return {role: asdict(verdict) for role, verdict in zip(baselines, _corrected(verdicts), strict=True)}


def _corrected(verdicts: list[Verdict]) -> list[Verdict]:
    """Return the verdicts with Holm's p-values: of the tests over examples, and of those over seeds."""
    examples = holm([verdict.examples_test.p for verdict in verdicts])
    seeds = holm([verdict.seeds_test.p for verdict in verdicts])
    return [
        replace(
            verdict,
            examples_test=replace(verdict.examples_test, p_holm=of_examples),
            seeds_test=replace(verdict.seeds_test, p_holm=of_seeds),
        )
        for verdict, of_examples, of_seeds in zip(verdicts, examples, seeds, strict=True)
    ]
