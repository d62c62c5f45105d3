"""About how long the parts of a study take, from the measured time of a training step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from translearn.cluster.resources import Resources
from translearn.cluster.training.layout import Layout, lay_out
from translearn.config import SourceSpec, StudySpec
from translearn.config.study import SearchSpec
from translearn.models.backbones.stages import freeze_depths
from translearn.ranking.first_configurations import num_baselines
from translearn.study.planning.budget import pretrain_batch_size
from translearn.study.planning.look import Size
from translearn.study.refits.convergence import lengths

#: The part of a training step that a forward pass alone takes.
FORWARD = 1 / 3
#: ASHA stops trials as they come, so more of them pass a rung than 1/reduction_factor.
_PASS = 1.5
#: To time a network that is fast, and the images that pass through one that is slow.
_TIMED_S, _TIMED_IMAGES = 1.0, 60


@dataclass(frozen=True)
class Costs:
    """What a study costs; every estimate is in seconds.

    Attributes:
        image_s: By architecture, of an image in a training step of a full fine-tune on one worker.
        sizes: Of the data sets, ``target`` among them.
        resources: The layout.
        overhead: How many times as long as usual (``time_plan``) all takes that is no work: starts and imports.
    """

    image_s: Mapping[str, float]
    sizes: Mapping[str, Size]
    resources: Resources
    overhead: float = 1.0

    @property
    def epoch_s(self) -> float:
        """An epoch of a full fine-tune of the slowest architecture, validation included."""
        target = self.sizes["target"]
        return max(self.image_s.values()) * (target.num_train + target.num_val * FORWARD)

    def layout(self, spec: StudySpec) -> Layout:
        """Return the layout of the refits."""
        return lay_out(self.resources, num_refits(spec), lambda: max(self.image_s.values()) * spec.train.batch_size)

    def search_s(self, spec: StudySpec) -> float:
        """Return how long the trials take where none is stopped."""
        return spec.search.trials * spec.search.epochs * self.epoch_s / self.resources.concurrent_trials

    def likely_search_s(self, spec: StudySpec) -> float:
        """Return how long the trials take where the scheduler stops some, as it usually does."""
        return self.search_s(spec) * likely_epochs(spec.search) / spec.search.epochs

    def refits_s(self, spec: StudySpec) -> float:
        """Return how long the refits take, but for the longer baseline."""
        return self.layout(spec).seconds(num_refits(spec), spec.refit.epochs * self.epoch_s)

    def longer_s(self, spec: StudySpec) -> float:
        """Return how long scratch at convergence takes at most."""
        epochs = sum(lengths(spec.refit.baseline_cap)) * spec.refit.epochs
        return self.layout(spec).seconds(spec.refit.seeds, epochs * self.epoch_s) if epochs else 0.0

    def pretrain_s(self, spec: StudySpec) -> float:
        """Return how long the pre-training of sources takes."""
        own = [source for source in spec.sources if source.pretrain]
        if not own:
            return 0.0
        layout = lay_out(self.resources, len(own), lambda: max(self.pretrain_step_s(one, spec) for one in own))
        return sum(self.pretrain_run_s(one) for one in own) / (layout.at_once * layout.workers)

    def pretrain_step_s(self, source: SourceSpec, spec: StudySpec) -> float:
        """Return how long a step of a source's pre-training takes on one worker."""
        return pretrain_batch_size(source, spec, self.sizes[source.name].num_train) * self.image_s[source.arch]

    def pretrain_run_s(self, source: SourceSpec) -> float:
        """Return how long a source's pre-training takes on one worker."""
        assert source.pretrain
        return source.pretrain.epochs * self.sizes[source.name].num_train * self.image_s[source.arch]

    def ranking_s(self, spec: StudySpec) -> float:
        """Return how long the features of the ranking take, the target's validation images for its first model too."""
        target, ranked = self.sizes["target"], spec.search.prior == "auto"
        num = min(target.num_train, spec.rank.max_examples)
        passes = [num * self.image_s[source.arch] * FORWARD for source in spec.sources if ranked]
        validated = (target.num_val + (0 if ranked else num)) * max(self.image_s.values()) * FORWARD
        return sum(passes) / min(self.resources.concurrent_trials, max(1, len(passes))) + validated

    def evaluation_s(self, spec: StudySpec) -> float:
        """Return how long the predictions of the compared models take (transfer, scratch, longer and the probe), and
        the timing of each architecture.
        """
        target = self.sizes["target"]
        images = 4 * spec.refit.seeds * (target.num_val + target.num_test)
        archs = spec.archs if spec.search.limits.latency_ms is None else ()  # which are timed before the study begins
        timed = sum(_TIMED_S + _TIMED_IMAGES * self.image_s[arch] * FORWARD for arch in archs)
        return images * max(self.image_s.values()) * FORWARD / self.resources.concurrent_trials + timed


def likely_epochs(search: SearchSpec) -> float:
    """Return about how many epochs a trial has, where ASHA stops some; all where another scheduler may."""
    if search.scheduler != "asha" or search.first_rung >= search.epochs:
        return float(search.epochs)
    found, passing, at = 0.0, 1.0, 0
    for rung in [*rungs(search), search.epochs]:
        found, passing, at = found + passing * (rung - at), passing * min(1.0, _PASS / search.reduction_factor), rung
    return found


def rungs(search: SearchSpec) -> list[int]:
    """Return the epochs after which ASHA compares trials."""
    found = [search.first_rung * search.reduction_factor**index for index in range(search.epochs)]
    return [rung for rung in found if rung < search.epochs]


def num_refits(spec: StudySpec) -> int:
    """Return the most runs of the refit; a run with fewer labels has more epochs, but as many steps."""
    refit = spec.refit
    found = refit.candidates + num_baselines(spec) * (refit.candidates + 1)  # scratch and the probe
    depths = max(len(freeze_depths(spec.search, arch)) for arch in spec.archs) if refit.forgetting else 0
    return found * refit.seeds + 2 * len(set(refit.label_fractions)) * refit.label_seeds + depths
