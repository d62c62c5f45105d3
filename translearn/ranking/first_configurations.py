"""What a search tries first, before its sampler says more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from translearn.config import StudySpec
from translearn.config.archs import num_stages
from translearn.contest import Point, is_same_rate
from translearn.models.sources import Source
from translearn.ranking.prior import NOTHING, Past, Prior

#: A configuration as Optuna takes it; what is left out, its sampler draws.
FirstPoint = dict[str, Any]
#: The fewest trials of scratch.
_LEAST = 3
#: Of a linear probe, over the default: so few parameters take larger steps.
_PROBE_FACTOR = 3.0
#: Learning rates of the best source's default configuration: nine times the first one is among them.
_SWEPT = 4


def first_points(
    spec: StudySpec, sources: Mapping[str, Source], prior: Prior | None = None, past: Past = NOTHING
) -> list[FirstPoint]:
    """The default configuration, the same for every other source, what the ranking recommends, and scratch's share.

    Past studies say which learning rate all of these begin with, in place of the default one; what else they suggest
    follows the default configurations and scratch's first three, that of the first source at the study's own default
    rate among it. Without a ranking their best suggestion comes first of all.

    Scratch has but a learning rate to choose. It gets as many trials as there are for each source, at least 3, at
    rates around the first one: the gain over a baseline that nobody tuned would mean nothing.

    With a ranking the best source comes first. Its linear probe follows the default configurations; scratch's first
    three come next, and then the best source's other learning rates, for a default may be wrong, and the better half of
    the sources at their recommended freeze depths, at the first rate and at the next one. What is left of the first
    generation goes to the sources in proportion to their weights; what does not fit into it begins the second one.
    """
    plain = [name for name, source in sources.items() if source.kind != "scratch"]
    names = list(prior.order) if prior else plain
    defaults, suggested = (each(spec, sources, names, past) for each in (_defaults, _suggested))
    tuned = _tuned(spec, sources, past)
    least = (_LEAST - 1) * len(_baselines(sources))
    if prior is None:
        best = [_again(spec, sources[point.source], point) for point in past.points if not point.is_scratch]
        return _once([*best[:1], *defaults, *tuned[:least], *suggested]) + tuned[least:]
    ranked = _of_the_best(spec, sources[names[0]], past) + _recommended(spec, sources, prior, past)
    given = _once([*defaults, *ranked[:1], *tuned[:least], *suggested, *ranked[1:]]) + tuned[least:]
    first_generation = math.ceil(spec.search.trials / (1 if spec.search.algorithm == "random" else 2))
    return given + _shares(prior, first_generation - len(given))


def depth_key(arch: str) -> str:
    """The searcher's name of the freeze depth of an architecture: their ranges differ."""
    return f"freeze_depth_{arch}"


def rates(spec: StudySpec, first: float, num: int) -> list[float]:
    """At most so many learning rates of the range: the first one, three times and a third of it, and so on."""
    low, high = spec.search.lr
    exponents = sorted(range(-num, num + 1), key=lambda exponent: (abs(exponent), -exponent))
    found = [first * 3.0**exponent for exponent in exponents]
    return [rate for rate in found if low <= rate <= high][:num]


def _baselines(sources: Mapping[str, Source]) -> list[str]:
    return [name for name, source in sources.items() if source.kind == "scratch"]


def _defaults(spec: StudySpec, sources: Mapping[str, Source], names: list[str], past: Past) -> list[FirstPoint]:
    """The default configuration of each source and of scratch, at the rates that past studies teach."""
    lr, scratch_lr = past.lr or spec.default_lr, past.scratch_lr or spec.default_lr
    own = [_at(spec, sources[name], _lowest(spec, sources[name]), lr) for name in names]
    return own + [{"source": name, "lr": scratch_lr} for name in _baselines(sources)]


def _suggested(spec: StudySpec, sources: Mapping[str, Source], names: list[str], past: Past) -> list[FirstPoint]:
    """The first source at the study's own default rate, in case that the past does not hold, and what it suggests."""
    plain = [_at(spec, sources[name], _lowest(spec, sources[name]), spec.default_lr) for name in names[:1]]
    return plain + [_again(spec, sources[point.source], point) for point in past.points]


def _tuned(spec: StudySpec, sources: Mapping[str, Source], past: Past) -> list[FirstPoint]:
    """What is left of scratch's share."""
    share = max(_LEAST, spec.search.trials // len(sources))
    later = rates(spec, past.scratch_lr or spec.default_lr, share)[1:]
    return [{"source": name, "lr": lr} for lr in later for name in _baselines(sources)]


def _of_the_best(spec: StudySpec, source: Source, past: Past) -> list[FirstPoint]:
    """The best source's linear probe, or its default configuration where the study has none, and its other rates."""
    first, lowest, last = past.lr or spec.default_lr, _lowest(spec, source), num_stages(source.arch)
    probe = _at(spec, source, last, min(_PROBE_FACTOR * first, spec.search.lr[1]))
    has_probe = last in spec.freeze_depths(source.arch)
    return [probe if has_probe else _at(spec, source, lowest, first)] + [
        _at(spec, source, lowest, lr) for lr in rates(spec, first, _SWEPT)[1:]
    ]


def _recommended(spec: StudySpec, sources: Mapping[str, Source], prior: Prior, past: Past) -> list[FirstPoint]:
    """The better half of the sources at their recommended depths."""
    first = past.lr or spec.default_lr
    better = prior.order[: math.ceil(len(prior.order) / 2)]
    depths = {name: _allowed(spec, sources[name], prior.freeze_depths[name]) for name in better}
    return [_at(spec, sources[name], depth, lr) for name, depth in depths.items() for lr in rates(spec, first, 2)]


def _shares(prior: Prior, num: int) -> list[FirstPoint]:
    """So many points of which the source alone is given, in proportion to the weights (D'Hondt's method)."""
    counts = dict.fromkeys(prior.weights, 0)
    for _ in range(num):
        counts[max(counts, key=lambda name: prior.weights[name] / (counts[name] + 1))] += 1
    return [{"source": name} for name, count in counts.items() for _ in range(count)]


def _once(points: list[FirstPoint]) -> list[FirstPoint]:
    """Each configuration once: the first of those that differ by little in their rate, if at all."""
    kept: list[FirstPoint] = []
    for point in points:
        if not any(_is_same(point, other) for other in kept):
            kept.append(point)
    return kept


def _is_same(one: FirstPoint, other: FirstPoint) -> bool:
    return {**one, "lr": None} == {**other, "lr": None} and is_same_rate(one["lr"], other["lr"])


def _again(spec: StudySpec, source: Source, point: Point) -> FirstPoint:
    decay = {"weight_decay": point.weight_decay} if spec.search.weight_decay else {}
    depth = {} if point.is_scratch else {depth_key(source.arch): point.freeze_depth}
    return {"source": point.source, "lr": point.lr, **depth, **decay}


def _at(spec: StudySpec, source: Source, depth: int, lr: float) -> FirstPoint:
    """A configuration at the study's own weight decay, or that of its list which is nearest to it."""
    decays = spec.search.weight_decay
    decay = {"weight_decay": min(decays, key=lambda one: abs(one - spec.train.weight_decay))} if decays else {}
    return {"source": source.name, "lr": lr, depth_key(source.arch): depth, **decay}


def _lowest(spec: StudySpec, source: Source) -> int:
    return min(spec.freeze_depths(source.arch))


def _allowed(spec: StudySpec, source: Source, depth: int) -> int:
    """The deepest freeze depth of the study that is no deeper than recommended, else its lowest one."""
    depths = spec.freeze_depths(source.arch)
    return max((one for one in depths if one <= depth), default=min(depths))
