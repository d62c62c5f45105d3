"""The search space of a study: conditional for Optuna, and as a plain ``param_space`` for other searchers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from ray import tune

from translearn.config import StudySpec
from translearn.models.backbones.stages import freeze_depths
from translearn.models.sources import Source

#: What a trial's config has, in this order.
KEYS = ("source", "arch", "freeze_depth", "lr", "weight_decay")
_DEPTH = "freeze_depth."


@dataclass(frozen=True)
class SearchSpace:
    """A conditional search space in Optuna's define-by-run form: the freeze depths depend on the architecture.

    Attributes:
        archs: The architecture of each source, scratch among them.
        freeze_depths: The freeze depths of each source; only 0 for scratch, whose random stages are not worth freezing.
        lr: The lowest and the highest learning rate.
        weight_decays: The weight decays to choose from.
    """

    archs: Mapping[str, str]
    freeze_depths: Mapping[str, tuple[int, ...]]
    lr: tuple[float, float]
    weight_decays: tuple[float, ...]

    def __call__(self, trial: optuna.Trial) -> dict[str, Any]:
        """Suggest a configuration; Optuna's own parameters of freeze depth have the architecture in their name."""
        source = trial.suggest_categorical("source", list(self.archs))
        trial.suggest_float("lr", *self.lr, log=True)
        fixed: dict[str, Any] = {"arch": self.archs[source]}
        depths, decays = self.freeze_depths[source], self.weight_decays
        key = self.depth_key(source)
        fixed["freeze_depth"] = int(trial.suggest_categorical(key, depths)) if len(depths) > 1 else depths[0]
        if len(decays) > 1:
            trial.suggest_categorical("weight_decay", decays)
        else:
            fixed["weight_decay"] = decays[0]
        return fixed

    def depth_key(self, source: str) -> str:
        """Return Optuna's name of the freeze depth of a source: the range depends on the architecture."""
        return f"{_DEPTH}{self.archs[source].replace('/', '.')}"

    def first(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a first configuration (``ranking.first_configurations``) under Optuna's names."""
        known = {name: value for name, value in config.items() if name != "freeze_depth"}
        depths = {"freeze_depth": config["freeze_depth"]} if "freeze_depth" in config else {}
        return known | {self.depth_key(config["source"]): depth for depth in depths.values()}

    def settled(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a trial's config with all ``KEYS``, its freeze depth one that the source has: the nearest below."""
        source = config["source"]
        below = [depth for depth in self.freeze_depths[source] if depth <= config["freeze_depth"]]
        depth = max(below, default=min(self.freeze_depths[source]))
        decay = config.get("weight_decay", self.weight_decays[0])
        return {
            "source": source,
            "arch": self.archs[source],
            "freeze_depth": depth,
            "lr": float(config["lr"]),
            "weight_decay": float(decay),
        }

    def param_space(self) -> dict[str, Any]:
        """Return the space in Tune's own form, for searchers that know no conditions.

        A freeze depth that a source does not have stands for its nearest one below (``settled``).
        """
        depths = sorted({depth for depths in self.freeze_depths.values() for depth in depths})
        return {
            "source": tune.choice(list(self.archs)),
            "freeze_depth": tune.choice(depths),
            "lr": tune.loguniform(*self.lr),
            "weight_decay": tune.choice(list(self.weight_decays)),
        }


def search_space(spec: StudySpec, sources: Mapping[str, Source]) -> SearchSpace:
    """Return the search space of a study over these sources."""
    depths = {
        name: (0,) if source.kind == "scratch" else tuple(freeze_depths(spec.search, source.arch))
        for name, source in sources.items()
    }
    archs = {name: source.arch for name, source in sources.items()}
    return SearchSpace(archs, depths, spec.search.lr, spec.search.weight_decay or (spec.train.weight_decay,))
