"""What a search tries first, before its sampler says more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from translearn.archs import num_stages
from translearn.contest import Point
from translearn.prior import Prior
from translearn.sources import Source
from translearn.spec import StudySpec

#: A configuration as Optuna takes it; what is left out, its sampler draws.
FirstPoint = dict[str, Any]
#: The fewest trials of scratch.
_LEAST = 3
#: Of a linear probe, over the default: so few parameters take larger steps.
_PROBE_FACTOR = 3.0


def first_points(
    spec: StudySpec, sources: Mapping[str, Source], prior: Prior | None = None, past: Sequence[Point] = ()
) -> list[FirstPoint]:
    """The default configuration, the same for every other source, what the ranking recommends, and scratch's share.

    What past studies suggest follows the default configurations.

    Scratch has but a learning rate to choose. It gets as many trials as there are for each source, at least 3, at
    rates around the default one: the gain over a baseline that nobody tuned would mean nothing.

    With a ranking the best source comes first. Its linear probe follows the default configurations, and the better half
    of the sources at their recommended freeze depths, at the default rate and at the next one, follows scratch's first
    three. What is left of the first generation goes to the sources in proportion to their weights.
    """
    baselines = [name for name, source in sources.items() if source.kind == "scratch"]
    names = [name for name in sources if name not in baselines] if prior is None else list(prior.order)
    defaults = [_at(sources[name], _lowest(spec, sources[name]), spec.default_lr) for name in names]
    defaults += [{"source": name, "lr": spec.default_lr} for name in baselines]
    defaults += [_again(spec, sources[point.source], point) for point in past]
    share = max(_LEAST, spec.search.trials // len(sources))
    tuned = [{"source": name, "lr": lr} for lr in rates(spec, share)[1:] for name in baselines]
    if prior is None:
        return defaults + tuned
    least = (_LEAST - 1) * len(baselines)
    found = defaults + _probe(spec, sources[names[0]]) + tuned[:least] + _recommended(spec, sources, prior)
    given = [point for place, point in enumerate(found) if point not in found[:place]] + tuned[least:]
    first_generation = math.ceil(spec.search.trials / (1 if spec.search.algorithm == "random" else 2))
    return given + _shares(prior, first_generation - len(given))


def depth_key(arch: str) -> str:
    """The searcher's name of the freeze depth of an architecture: their ranges differ."""
    return f"freeze_depth_{arch}"


def rates(spec: StudySpec, num: int) -> list[float]:
    """At most so many learning rates of the range: the default one, three times and a third of it, and so on."""
    low, high = spec.search.lr
    exponents = sorted(range(-num, num + 1), key=lambda exponent: (abs(exponent), -exponent))
    found = [spec.default_lr * 3.0**exponent for exponent in exponents]
    return [rate for rate in found if low <= rate <= high][:num]


def _probe(spec: StudySpec, source: Source) -> list[FirstPoint]:
    """A source's linear probe; none where the study has no such freeze depth."""
    depth, lr = num_stages(source.arch), min(_PROBE_FACTOR * spec.default_lr, spec.search.lr[1])
    return [_at(source, depth, lr)] if depth in spec.freeze_depths(source.arch) else []


def _recommended(spec: StudySpec, sources: Mapping[str, Source], prior: Prior) -> list[FirstPoint]:
    """The better half of the sources at their recommended depths."""
    better = prior.order[: math.ceil(len(prior.order) / 2)]
    depths = {name: _allowed(spec, sources[name], prior.freeze_depths[name]) for name in better}
    return [_at(sources[name], depth, lr) for name, depth in depths.items() for lr in rates(spec, 2)]


def _shares(prior: Prior, num: int) -> list[FirstPoint]:
    """So many points of which the source alone is given, in proportion to the weights (D'Hondt's method)."""
    counts = dict.fromkeys(prior.weights, 0)
    for _ in range(num):
        counts[max(counts, key=lambda name: prior.weights[name] / (counts[name] + 1))] += 1
    return [{"source": name} for name, count in counts.items() for _ in range(count)]


def _again(spec: StudySpec, source: Source, point: Point) -> FirstPoint:
    decay = {"weight_decay": point.weight_decay} if spec.search.weight_decay else {}
    depth = {} if point.is_scratch else {depth_key(source.arch): point.freeze_depth}
    return {"source": point.source, "lr": point.lr, **depth, **decay}


def _at(source: Source, depth: int, lr: float) -> FirstPoint:
    return {"source": source.name, "lr": lr, depth_key(source.arch): depth}


def _lowest(spec: StudySpec, source: Source) -> int:
    return min(spec.freeze_depths(source.arch))


def _allowed(spec: StudySpec, source: Source, depth: int) -> int:
    """The deepest freeze depth of the study that is no deeper than recommended, else its lowest one."""
    depths = spec.freeze_depths(source.arch)
    return max((one for one in depths if one <= depth), default=min(depths))
