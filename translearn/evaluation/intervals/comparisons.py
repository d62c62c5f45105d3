"""Comparisons of a study: transfer against scratch, its convergence and the linear probe, corrected for each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from translearn.evaluation.intervals.paired import holm
from translearn.evaluation.predictions import CONVERGED, SCRATCH, Predictions
from translearn.evaluation.verdict.transfer import NO_DIFFERENCE, Verdict, transfer_gain


def compare(
    transfer: Sequence[Predictions],
    baselines: dict[str, Sequence[Predictions]],
    converged: Sequence[Predictions] = (),
) -> dict[str, dict[str, Any]]:
    """Return the verdict on transfer against each baseline, by role, as JSON; verdicts hold together at 95 %.

    The gain at convergence adds nothing to the correction: it is shown only where that over scratch is (a fixed
    sequence).

    Args:
        transfer: The transferred models' predictions on test, one a seed.
        baselines: By role, those of what transfer is compared with; scratch among them.
        converged: Those of scratch at convergence; empty where that was not looked for.

    Source: Maurer, Hothorn & Lehmacher, Biometrie in der chemisch-pharmazeutischen Industrie 6 (1995) 3-18.
    """
    num = len(baselines)
    verdicts = [transfer_gain(transfer, found, num) for found in baselines.values()]
    found = dict(zip(baselines, _corrected(verdicts), strict=True))
    if converged:
        found[CONVERGED] = _following(transfer_gain(transfer, converged, num), found[SCRATCH], num)
    return {role: asdict(verdict) for role, verdict in found.items()}


def _following(verdict: Verdict, first: Verdict, num: int) -> Verdict:
    """Return a verdict that shows a difference only where another one does; its p-values are no lower either."""
    examples, seeds = (
        None if own.p is None or earlier.p_holm is None else max(earlier.p_holm, min(1.0, num * own.p))
        for own, earlier in ((verdict.examples_test, first.examples_test), (verdict.seeds_test, first.seeds_test))
    )
    return replace(
        verdict,
        baseline=CONVERGED,
        verdict=NO_DIFFERENCE if first.verdict == NO_DIFFERENCE else verdict.verdict,
        examples_test=replace(verdict.examples_test, p_holm=examples),
        seeds_test=replace(verdict.seeds_test, p_holm=seeds),
    )


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
