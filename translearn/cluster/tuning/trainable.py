"""The trainable of the search: a trial fine-tunes one configuration, an epoch a step."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ray import tune
from ray.tune.result import DONE, SHOULD_CHECKPOINT

from translearn.cluster.data.features import features_of
from translearn.cluster.data.shared import Shared, fetch
from translearn.cluster.resources import Resources
from translearn.cluster.temporary import checkpoint_folder, sweep_checkpoint_folders
from translearn.cluster.tracking.log import LOGGED, log
from translearn.cluster.training.checkpoints import CheckpointClock, in_place, load_state, save_state
from translearn.cluster.training.rows import diverged, facts, figures
from translearn.cluster.tuning.space import SearchSpace
from translearn.config import StudySpec
from translearn.errors import NonFiniteError, StorageError
from translearn.models.sources import initial_network
from translearn.models.weights import fingerprint
from translearn.training.config import EpochResult, LoopState, TrainConfig
from translearn.training.distributed import DistributedContext
from translearn.training.features import reads_features
from translearn.training.loop import fine_tune
from translearn.training.precision import prepare_process

_AWAY = "Unable to set up cluster storage"  # what Ray's RuntimeError says where the storage is not there


@dataclass(frozen=True)
class TrialContext:
    """The part that all trials of a search have in common.

    Attributes:
        task: Target data and the sources, in the object store.
        spec: The study.
        space: The search space.
        resources: The layout; a worker's CPUs are its threads, and part of what its bits depend on.
    """

    task: Shared
    spec: StudySpec
    space: SearchSpace
    resources: Resources

    def train_config(self, config: dict[str, Any]) -> TrainConfig:
        """Return how a trial is trained, from a settled config."""
        train = self.spec.train.model_copy(update={"weight_decay": config["weight_decay"]})
        return TrainConfig(config["freeze_depth"], config["lr"], self.spec.search.epochs, self.spec.seed, train)


class FineTune(tune.Trainable):
    """A trial of one worker.

    Its actor serves trial after trial (``reuse_actors``): torch is imported and the data are mapped once. What a trial
    reports depends on its config alone.
    """

    def setup(self, config: dict[str, Any], context: TrialContext) -> None:
        """Get ready: what is slow is done once an actor, here."""
        self._context, self._task = context, fetch(context.task)
        prepare_process(context.resources.cpus)
        sweep_checkpoint_folders()
        self._device = torch.device("cuda" if context.resources.gpus else "cpu")
        self._lowest = math.inf  # of the whole trials of this actor, the validation error
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin another trial in this actor."""
        self._trial = self._context.space.settled(new_config)
        self._clock = CheckpointClock(self._context.spec.cluster.checkpoint_interval_s)
        self._begin(None)
        return True

    def step(self) -> dict[str, Any]:
        """Train an epoch; return its figures, those of a run that diverged with its reason."""
        began_at = time.time()
        row = {**self._row(), "began_at": began_at, "ended_at": time.time()}
        told = {name: row[name] for name in LOGGED if name in row}
        self._log("epoch", **told)
        is_last = bool(row.get("reason")) or row["epoch"] == row["epochs"]
        is_kept = not row.get("reason") and (self._clock.due(is_last) or self._is_best(row, is_last))
        return {**row, DONE: is_last, SHOULD_CHECKPOINT: is_kept}

    def restore(self, checkpoint_path: Any) -> None:
        """Go on from a checkpoint; from the beginning, with the same bits, where it is gone.

        A later checkpoint may have replaced the one that Tune's snapshot names, when the driver was killed in between.
        """
        try:
            super().restore(checkpoint_path)
        except Exception as error:  # what is missing or damaged raises anything
            self._log("unreadable", reason=f"{type(error).__name__}: {error}")
            self._begin(None)

    def save(self, checkpoint_dir: str | None = None) -> Any:
        """Keep a checkpoint in the storage, as Tune does it; where that fails nothing is left on this node.

        Raises:
            StorageError: The storage takes no files.
        """
        with checkpoint_folder() as here:
            try:
                saved = super().save(checkpoint_dir or str(here))
                saved.checkpoint = in_place(saved.checkpoint)
                return saved
            except (OSError, RuntimeError) as error:
                if not isinstance(error, OSError) and _AWAY not in str(error):
                    raise
                last = (str(error).splitlines() or [""])[-1]
                raise StorageError(f"a checkpoint cannot be written ({type(error).__name__}: {last})") from error

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the loop state after the last epoch; none where no epoch is done yet, and no more than the tensors of a
        trial that is whole: no epoch follows.
        """
        state = self._last.state() if self._last else self._state
        if state and state["epoch"] == self._context.spec.search.epochs:
            state = {name: state[name] for name in ("epoch", "model")}
        if state:
            save_state(Path(checkpoint_dir), {"state": state})

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        """Go on from a checkpoint; from the beginning, with the same bits, where it cannot be read or is the last."""
        saved = load_state(Path(checkpoint_dir))
        if saved is None:
            self._log("unreadable", reason=f"{checkpoint_dir} is damaged")
        has_rest = saved is not None and saved["state"]["epoch"] < self._context.spec.search.epochs
        self._begin(saved["state"] if saved and has_rest else None)

    def _is_best(self, row: dict[str, Any], is_last: bool) -> bool:
        """Return whether a trial is whole and the best so far of its actor: the driver may want its tensors."""
        if not is_last or row["val_error"] >= self._lowest:
            return False
        self._lowest = row["val_error"]
        return True

    def _log(self, event: str, **fields: Any) -> None:
        log(event, self._context.spec.name, self.trial_name or "", 0, **fields)

    def _begin(self, state: LoopState | None) -> None:
        self._epochs, self._state = self._begun(state), state
        self._last: EpochResult | None = None

    def _begun(self, state: LoopState | None) -> Iterator[EpochResult]:
        spec, task, config = self._context.spec, self._task, self._context.train_config(self._trial)
        source = self._trial["source"]
        network, _ = initial_network(task.sources[source], task.num_classes, spec.seed, task.train.image_size)
        context = DistributedContext(device=self._device, sync_batchnorm=spec.train.sync_batchnorm)
        features = features_of(task, source) if reads_features(config, network) else None
        return fine_tune(network, task.train, task.val, config, context, state, features)

    def _row(self) -> dict[str, Any]:
        config = self._context.train_config(self._trial)
        known = {"epochs": config.epochs, **facts(config, self._context.resources.cpus, self._device)}
        try:
            self._last = result = next(self._epochs)
        except NonFiniteError as error:
            return {**diverged(config, error), **known}
        is_last = result.epoch == config.epochs
        weights = {"weights": fingerprint(result.state()["model"])} if is_last else {}
        return {**figures(result), **known, **weights}
