"""The Python interface to studies, in a script or a notebook; ``deploy.model`` has that to models."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Required, TypedDict, Unpack

from translearn.config import StudySpec, load_spec, parse_spec
from translearn.config.paths import with_absolute_paths

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler
    from ray.tune.search import Searcher

    from translearn.study.result import Result

__all__ = ["Study", "StudyFields", "load_result", "load_study", "run"]

_Section = Mapping[str, Any]


class StudyFields(TypedDict, total=False):
    """The fields of a study file; docs/study.md has those of each section."""

    name: Required[str]
    target: Required[_Section]
    sources: Required[Sequence[_Section]]
    seed: int
    storage: str | os.PathLike[str]
    time_budget_s: float | None
    rank: _Section
    search: _Section
    train: _Section
    cluster: _Section
    refit: _Section


class Study(StudySpec):
    """A study: its fields are those of a study file, with every default filled in.

    Example:
        >>> imagenet = {"name": "imagenet", "arch": "resnet18", "weights": "DEFAULT"}
        >>> study = Study(name="pets", target={"data": "data/pets"}, sources=[imagenet])
        >>> study.search.trials
        32
    """

    def __init__(self, **fields: Unpack[StudyFields]) -> None:
        """Check the fields, plain values as a study file has them; a place may be a ``Path``.

        Relative paths begin in the current directory.

        Raises:
            SpecError: Holds every fault, a line each: dotted path, rule, value, remedy.
        """
        given = parse_spec(fields).model_dump(mode="json")
        super().__init__(**dict(parse_spec(with_absolute_paths(given, Path.cwd()))))


def load_study(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Study:
    """Load a study from a YAML file.

    Args:
        path: The study file.
        overrides: Dotted paths and YAML values, for example ``search.trials=8``.

    Raises:
        SpecError: Holds every fault, a line each: dotted path, rule, value, remedy.
    """
    return Study.model_construct(**dict(load_spec(os.fspath(path), tuple(overrides))))


def run(
    study: Study,
    *,
    search_alg: Searcher | None = None,
    scheduler: TrialScheduler | None = None,
    address: str | None = None,
    dashboard: bool = True,
) -> Result:
    """Run a whole study, as ``translearn run`` does, or go on with it; one that is done is not repeated.

    Args:
        study: The study.
        search_alg: Any searcher of Tune in place of ``search.sampler``; its space is ``source``, ``freeze_depth``,
            ``lr`` and ``weight_decay``.
        scheduler: Any scheduler of Tune in place of ``search.scheduler``; its time attribute is ``epoch``.
        address: A Ray cluster; ``RAY_ADDRESS`` when None, else a local Ray that ends with the study.
        dashboard: Whether a local Ray has a dashboard.

    Raises:
        TranslearnError: As the command; its message is what the command prints.
    """
    began = time.monotonic()
    from translearn.storage.folder import Folder
    from translearn.study.done import ended
    from translearn.study.planning.look import look

    if not ended(study):
        sizes = look(study)
        from translearn.cluster.session import session
        from translearn.cluster.start.ahead import import_ahead
        from translearn.study.opening import open_study
        from translearn.study.run import run_study

        tuning = {"search_alg": search_alg, "scheduler": scheduler}
        with session(address, dashboard=dashboard):
            import_ahead()
            with open_study(study, "translearn.run", tuning, sizes, began) as opened:
                run_study(opened)
    from translearn.study.result import Result

    return Result(Folder.open(study.storage) / study.name)


def load_result(path: str | os.PathLike[str]) -> Result:
    """Load the result of a study that is done, without Ray.

    Args:
        path: The study's directory, ``<storage>/<name>``; local or an address.

    Raises:
        InputError: There is no study, or it is not done.
    """
    from translearn.storage.folder import Folder
    from translearn.study.result import Result

    return Result(Folder.open(path))
