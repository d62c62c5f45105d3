"""Scratch at convergence: the chosen trial of scratch, trained with more steps for as long as these help.

Each length is a whole run with a schedule of its own: a longer run that is cut off never comes to low learning rates.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from translearn.cluster.tracking.console import say
from translearn.cluster.training.runs import WorkerGroups
from translearn.config import StudySpec
from translearn.data.batches import num_steps
from translearn.evaluation.intervals.interval import over_seeds
from translearn.evaluation.predictions import CONVERGED, SCRATCH
from translearn.models.model_info import MARKER
from translearn.storage.folder import Folder
from translearn.study.context import StudyContext
from translearn.study.refits.candidates import Candidate, final_choice
from translearn.study.refits.refit import REFIT, refit, refit_errors, run_name


def lengths(cap: int) -> list[int]:
    """Return the lengths to try, in budgets, ascending: each twice the last, and the cap at the end.

    >>> lengths(5), lengths(8), lengths(1)
    ([2, 5], [2, 4, 8], [])
    """
    doubled = [2**power for power in range(1, cap.bit_length()) if 2 ** (power + 1) <= cap]
    return [*doubled, cap] if cap > 1 else []


def refit_longer(context: StudyContext, candidates: list[Candidate], groups: WorkerGroups) -> None:
    """Train the chosen trial of scratch with more and more steps, until its validation error is not lower any more.

    Its patience is one length. Leaves models in ``refit/``, as ``refit`` does.
    """
    spec, folder = context.spec, context.folder
    scratch = chosen_of(spec, folder, candidates).get(SCRATCH)
    if scratch is None:
        return
    for times in lengths(spec.refit.baseline_cap):
        say(f"scratch with {times} times the steps")
        refit(context, [_longer(scratch, times)], groups)
        if converged(spec, folder, scratch).times < times:
            return


def chosen_of(spec: StudySpec, folder: Folder, candidates: list[Candidate]) -> dict[str, Candidate]:
    """Return the final choice, by role."""
    errors = refit_errors(spec, folder, candidates)
    return final_choice(candidates, {name: float(np.mean(found)) for name, found in errors.items()})


def converged(spec: StudySpec, folder: Folder, scratch: Candidate) -> Candidate:
    """Scratch with that number of steps which has the lowest mean validation error; the fewest on a tie."""
    tried = _tried(spec, folder, scratch)
    errors = refit_errors(spec, folder, tried)
    return min(tried, key=lambda one: float(np.mean(errors[one.name])))


def convergence_of(spec: StudySpec, folder: Folder, scratch: Candidate, num_train: int) -> dict[str, Any] | None:
    """Return the keys of ``gain_at_convergence`` beside the gain; None where it was not looked for."""
    cap = spec.refit.baseline_cap
    if cap == 1:
        return None
    budget, best = spec.refit.epochs * num_steps(num_train, spec.train.batch_size), converged(spec, folder, scratch)
    tried = _tried(spec, folder, scratch)
    errors = refit_errors(spec, folder, tried)
    return {
        "times_the_steps": best.times,
        "steps": best.times * budget,
        "cap": cap,
        "is_at_cap": best.times == cap,
        "lengths": [_row(one, one.times * budget, errors[one.name]) for one in tried],
    }


def _longer(scratch: Candidate, times: int) -> Candidate:
    trial = {**scratch.trial, "val_error": None}  # the search's is of fewer steps
    return Candidate(f"{scratch.name}-x{times}", (CONVERGED,), trial, times)


def _tried(spec: StudySpec, folder: Folder, scratch: Candidate) -> list[Candidate]:
    """Scratch itself, and those longer ones of which every refit came to its end."""
    longer = [_longer(scratch, times) for times in lengths(spec.refit.baseline_cap)]
    seeds = range(spec.refit.seeds)
    done = [one for one in longer if all((folder / REFIT / run_name(one, n)).exists(MARKER) for n in seeds)]
    return [scratch, *done]


def _row(one: Candidate, steps: int, errors: list[float]) -> dict[str, Any]:
    interval = over_seeds(errors, 0, 1)
    low, high = (interval.low, interval.high) if interval else (None, None)
    error = float(np.mean(errors))
    return {"times_the_steps": one.times, "steps": steps, "validation_error": error, "low": low, "high": high}
