"""The sources that ``search.limits`` leave out, because of what they cost. Limits on size need no measurement."""

from __future__ import annotations

from collections.abc import Mapping

from translearn.cluster.resources import Resources
from translearn.config import LimitsSpec, StudySpec
from translearn.errors import WeightsError, fault, raise_faults
from translearn.models.cost import Cost, size_of
from translearn.storage.folder import Folder
from translearn.study.directory import COSTS
from translearn.study.sources.costs import costs_of

Costs = Mapping[str, Cost]


def kept_sources(spec: StudySpec, folder: Folder, num_classes: int, resources: Resources) -> tuple[StudySpec, str]:
    """Return a study without the sources that cost more than its limits, and a line that names them, if any.

    Speed is measured only where it is limited, and of architectures that are small enough.

    Raises:
        InputError: No source is left.
    """
    if spec.search.limits == LimitsSpec():
        return spec, ""
    costs = _sizes(spec, num_classes)
    small = _without(spec, _over(spec, costs))
    if spec.search.limits.latency_ms is not None:
        costs |= costs_of(small, folder, num_classes, resources)
    if faults := _faults(spec, costs):
        folder.remove_file(COSTS)  # who then raises a limit begins anew
        raise_faults(faults)
    over = _over(spec, costs)
    told = f"search.limits leave out {len(over)} of {len(spec.sources)} sources: {_listed(over)}"
    return _without(spec, over), told if over else ""


def size_faults(spec: StudySpec, num_classes: int) -> list[str]:
    """Return the fault of limits that no source is small enough for; speed is not known yet."""
    return [] if spec.search.limits == LimitsSpec() else _faults(spec, _sizes(spec, num_classes))


def _faults(spec: StudySpec, costs: Costs) -> list[str]:
    over = _over(spec, costs)
    if len(over) < len(spec.sources):
        return []
    remedy = "Raise a limit, or add a smaller source: `translearn backbones` lists them."
    return [fault("search.limits", "must leave at least one source", f"none: {_listed(over)}", remedy)]


def _sizes(spec: StudySpec, num_classes: int) -> dict[str, Cost]:
    """Return the size of each architecture; one that is not known is left out: the faults of sources have it."""
    found = {}
    for arch in spec.archs:
        try:
            found[arch] = size_of(arch, num_classes, spec.target.image_size)
        except WeightsError:
            continue
    return found


def _over(spec: StudySpec, costs: Costs) -> dict[str, list[str]]:
    """Return by source, where there are any, its figures that are above a limit, in words."""
    archs = {source.name: source.arch for source in spec.sources}
    found = {name: _above(costs[arch], spec.search.limits) for name, arch in archs.items() if arch in costs}
    return {name: lines for name, lines in found.items() if lines}


def _above(cost: Cost, limits: LimitsSpec) -> list[str]:
    figures = {
        "latency_ms": (cost.latency_ms, f"ms an image on {cost.device}"),
        "params_millions": (cost.num_parameters / 1e6, "million parameters"),
        "mb": (cost.mb, "MB"),
    }
    return [
        f"{value:.4g} > {limit:g} {unit}"
        for name, (value, unit) in figures.items()
        if (limit := getattr(limits, name)) is not None and value is not None and value > limit
    ]


def _without(spec: StudySpec, names: Mapping[str, object]) -> StudySpec:
    return spec.model_copy(update={"sources": tuple(one for one in spec.sources if one.name not in names)})


def _listed(over: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{name} ({', '.join(lines)})" for name, lines in over.items())
