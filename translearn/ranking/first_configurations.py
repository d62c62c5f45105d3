"""The first configurations of a search, which its searcher evaluates before its own suggestions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any

from translearn.config import StudySpec
from translearn.models.backbones.stages import freeze_depths, num_stages
from translearn.models.sources import Source
from translearn.ranking.prior import NOTHING, Past, Prior, TrialConfig, is_same_rate

#: A configuration with the keys ``source``, ``freeze_depth``, ``lr`` and ``weight_decay``. The searcher suggests the
#: values of keys that are left out.
FirstConfig = dict[str, Any]
#: The fewest trials of scratch of an architecture.
LEAST_OF_SCRATCH = 3
#: Of a linear probe, over the default: so few parameters take larger steps.
_PROBE_FACTOR = 3.0
#: Learning rates of the best source's default configuration: nine times the first one is among them.
_SWEPT = 4


def first_configurations(
    spec: StudySpec, sources: Mapping[str, Source], prior: Prior | None = None, past: Past = NOTHING
) -> list[FirstConfig]:
    """Return the configurations to evaluate first, at most ``search.trials`` of them.

    They are the default configuration of each source and of scratch, the recommendations of the ranking, the best
    configurations of past studies, and the share of scratch. Past studies give the learning rate of the default
    configurations, in place of the usual one of the optimizer.

    Scratch has only a learning rate to choose. It gets as many trials as there are for each source, at least 3, at
    rates around the first one: a gain over an untuned baseline would mean nothing.

    With a ranking the best source comes first. Its linear probe follows the default configurations; the first three
    trials of scratch come next, then the better half of the sources at their recommended freeze depths. Other learning
    rates follow: those of the best source (a default may be wrong), and a second one at the recommended depths. The
    rest of the first half of the trials goes to the sources in proportion to their weights.
    """
    plain = [name for name, source in sources.items() if source.kind != "scratch"]
    names = list(prior.order) if prior else plain
    defaults, suggested = (each(spec, sources, names, past) for each in (_defaults, _suggested))
    tuned = _tuned(spec, sources, past)
    least = (LEAST_OF_SCRATCH - 1) * len(_baselines(sources))
    if prior is None:
        best = [_again(spec, sources[one.source], one) for one in past.configs if not _is_scratch(sources, one)]
        given = _once([*best[:1], *defaults, *tuned[:least], *suggested]) + tuned[least:]
        return given[: spec.search.trials]
    probe, *swept = _of_the_best(spec, sources[names[0]], past)
    recommended, again = _recommended(spec, sources, prior, past)
    first = [*defaults, probe, *tuned[:least], *recommended, *suggested, *swept, *again]
    given = _once(first) + tuned[least:]
    first_half = math.ceil(spec.search.trials / (1 if spec.search.sampler == "random" else 2))
    return (given + _shares(prior, first_half - len(given)))[: spec.search.trials]


def sources_in_turn(spec: StudySpec, sources: Mapping[str, Source]) -> list[FirstConfig]:
    """Return the first configurations of a search that prefers no source: each has as many trials as the others.

    The first trial of each source is its default configuration; of the others only the source is given.
    """
    defaults = [_default(spec, source) for source in sources.values()]
    return [*defaults, *islice(cycle({"source": name} for name in sources), spec.search.trials)][: spec.search.trials]


def num_baselines(spec: StudySpec) -> int:
    """Return of how many architectures there are trials of scratch at most: of those that are refitted."""
    return min(spec.refit.candidates, len(spec.archs))


def scratch_trials(spec: StudySpec, num_sources: int, num_archs: int) -> int:
    """Return how many trials are of scratch: of an architecture as many as there are for each source, at least 3.

    Of several architectures those of at most ``refit.candidates`` have scratch; each source has a trial at least.
    """
    num = min(spec.refit.candidates, num_archs)
    share = max(LEAST_OF_SCRATCH, spec.search.trials // (num_sources + num))
    return min(num * share, spec.search.trials - num_sources)


def rates(spec: StudySpec, first: float, num: int) -> list[float]:
    """Return at most ``num`` learning rates of the range: the first one, three times and a third of it, and so on."""
    low, high = spec.search.lr
    exponents = sorted(range(-num, num + 1), key=lambda exponent: (abs(exponent), -exponent))
    found = [first * 3.0**exponent for exponent in exponents]
    return [rate for rate in found if low <= rate <= high][:num]


def probe_rate(spec: StudySpec, first: float) -> float:
    """Return the learning rate of a linear probe, where other configurations begin with ``first``."""
    return min(_PROBE_FACTOR * first, spec.search.lr[1])


def _baselines(sources: Mapping[str, Source]) -> list[str]:
    return [name for name, source in sources.items() if source.kind == "scratch"]


def _is_scratch(sources: Mapping[str, Source], config: TrialConfig) -> bool:
    return sources[config.source].kind == "scratch"


def _default(spec: StudySpec, source: Source) -> FirstConfig:
    if source.kind == "scratch":
        return {"source": source.name, "lr": spec.default_lr}
    return _at(spec, source, _lowest(spec, source), spec.default_lr)


def _defaults(spec: StudySpec, sources: Mapping[str, Source], names: list[str], past: Past) -> list[FirstConfig]:
    """Return the default configuration of each source and of scratch, at the rates of past studies."""
    lr, scratch_lr = past.lr or spec.default_lr, past.scratch_lr or spec.default_lr
    own = [_at(spec, sources[name], _lowest(spec, sources[name]), lr) for name in names]
    return own + [{"source": name, "lr": scratch_lr} for name in _baselines(sources)]


def _suggested(spec: StudySpec, sources: Mapping[str, Source], names: list[str], past: Past) -> list[FirstConfig]:
    """Return the first source at the study's own default rate, should the past not hold, and at the past's."""
    plain = [_at(spec, sources[name], _lowest(spec, sources[name]), spec.default_lr) for name in names[:1]]
    return plain + [_again(spec, sources[config.source], config) for config in past.configs]


def _tuned(spec: StudySpec, sources: Mapping[str, Source], past: Past) -> list[FirstConfig]:
    """Return the rest of scratch's share."""
    share = max(LEAST_OF_SCRATCH, spec.search.trials // len(sources))
    later = rates(spec, past.scratch_lr or spec.default_lr, share)[1:]
    return [{"source": name, "lr": lr} for lr in later for name in _baselines(sources)]


def _of_the_best(spec: StudySpec, source: Source, past: Past) -> list[FirstConfig]:
    """Return the best source's linear probe (its default configuration without one), and its other rates."""
    first, lowest, last = past.lr or spec.default_lr, _lowest(spec, source), num_stages(source.arch)
    probe = _at(spec, source, last, probe_rate(spec, first))
    has_probe = last in freeze_depths(spec.search, source.arch)
    return [probe if has_probe else _at(spec, source, lowest, first)] + [
        _at(spec, source, lowest, lr) for lr in rates(spec, first, _SWEPT)[1:]
    ]


def _recommended(spec: StudySpec, sources: Mapping[str, Source], prior: Prior, past: Past) -> list[list[FirstConfig]]:
    """Return the better half of the sources at their recommended depths: a list for each of two rates."""
    first = past.lr or spec.default_lr
    better = prior.order[: math.ceil(len(prior.order) / 2)]
    depths = {name: _allowed(spec, sources[name], prior.freeze_depths[name]) for name in better}
    tried = (rates(spec, first, 2) * 2)[:2]
    return [[_at(spec, sources[name], depth, lr) for name, depth in depths.items()] for lr in tried]


def _shares(prior: Prior, num: int) -> list[FirstConfig]:
    """So many configurations of which the source alone is given, in proportion to the weights (D'Hondt's method)."""
    counts = dict.fromkeys(prior.weights, 0)
    for _ in range(num):
        counts[max(counts, key=lambda name: prior.weights[name] / (counts[name] + 1))] += 1
    return [{"source": name} for name, count in counts.items() for _ in range(count)]


def _once(configs: list[FirstConfig]) -> list[FirstConfig]:
    """Return each configuration once: the first of those that differ by little in their rate, if at all."""
    kept: list[FirstConfig] = []
    for config in configs:
        if not any(_is_same(config, other) for other in kept):
            kept.append(config)
    return kept


def _is_same(one: FirstConfig, other: FirstConfig) -> bool:
    return {**one, "lr": None} == {**other, "lr": None} and is_same_rate(one["lr"], other["lr"])


def _again(spec: StudySpec, source: Source, config: TrialConfig) -> FirstConfig:
    decay = {"weight_decay": config.weight_decay} if spec.search.weight_decay else {}
    depth = {} if source.kind == "scratch" else {"freeze_depth": config.freeze_depth}
    return {"source": config.source, "lr": config.lr, **depth, **decay}


def _at(spec: StudySpec, source: Source, depth: int, lr: float) -> FirstConfig:
    """Return a configuration at the study's own weight decay, or at the nearest one of its list."""
    decays = spec.search.weight_decay
    decay = {"weight_decay": min(decays, key=lambda one: abs(one - spec.train.weight_decay))} if decays else {}
    return {"source": source.name, "lr": lr, "freeze_depth": depth, **decay}


def _lowest(spec: StudySpec, source: Source) -> int:
    return min(freeze_depths(spec.search, source.arch))


def _allowed(spec: StudySpec, source: Source, depth: int) -> int:
    """Return the deepest freeze depth of the study that is no deeper than recommended, else its lowest one."""
    depths = freeze_depths(spec.search, source.arch)
    return max((one for one in depths if one <= depth), default=min(depths))
