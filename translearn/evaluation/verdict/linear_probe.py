"""The linear probe as a baseline of equal rank: is fine-tuning better, and where is the cheaper model."""

from __future__ import annotations

from typing import Any

from translearn.evaluation.configuration import best_model
from translearn.evaluation.predictions import PROBE, TRANSFER
from translearn.evaluation.verdict.transfer import HELPED


def linear_probe(configurations: dict[str, Any], over_probe: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what is known of the linear probe; None where no refit of one came to its end.

    Args:
        configurations: Of the evaluation, by role.
        over_probe: The gain of transfer over the probe; None where transfer is a probe itself.

    Returns:
        ``is_best_transfer``: the best transfer is a linear probe; ``is_fine_tuning_better``: the gain of fine-tuning
        over the probe is shown; ``role``, whose configuration the probe is; its ``error, low, high`` over the seeds;
        ``seed`` of its model with the lowest validation error.
    """
    is_best = TRANSFER in configurations and bool(configurations[TRANSFER]["trial"].get("is_probe"))
    role = TRANSFER if is_best else PROBE
    if role not in configurations:
        return None
    made = configurations[role]
    return {
        "is_best_transfer": is_best,
        "is_fine_tuning_better": over_probe is not None and over_probe["verdict"] == HELPED,
        "role": role,
        **{name: made[name] for name in ("error", "low", "high")},
        "seed": best_model(made["models"])["seed"],
    }
