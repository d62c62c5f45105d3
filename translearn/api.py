"""The Python interface to studies, in a script or a notebook; ``deploy.model`` has that to models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from translearn.config import StudySpec
from translearn.config import load_spec as load_study

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler
    from ray.tune.search import Searcher

__all__ = ["load_study", "run"]


def run(
    study: StudySpec,
    *,
    search_alg: Searcher | None = None,
    scheduler: TrialScheduler | None = None,
    address: str | None = None,
    dashboard: bool = True,
) -> dict[str, Any]:
    """Run a whole study, as ``translearn run`` does, or go on with it.

    Args:
        study: As ``load_study`` reads it.
        search_alg: Any searcher of Tune in place of ``search.sampler``; its space is ``source``, ``freeze_depth``,
            ``lr`` and ``weight_decay``.
        scheduler: Any scheduler of Tune in place of ``search.scheduler``; its time attribute is ``epoch``.
        address: A Ray cluster; ``RAY_ADDRESS`` when None, else a local Ray that ends with the study.
        dashboard: Whether a local Ray has a dashboard.

    Returns:
        The figures of the winner, and where the report and the model are.

    Raises:
        TranslearnError: As the command; its message is what the command prints.
    """
    from translearn.cluster.session import session
    from translearn.study.run import open_study, run_study

    tuning = {"search_alg": search_alg, "scheduler": scheduler}
    with session(address, dashboard=dashboard), open_study(study, "translearn.run", tuning) as opened:
        return run_study(opened)
