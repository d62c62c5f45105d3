"""Searching on a real Ray: what Ray's own tools open, the same bits however trials run, lost actors, going on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch
from ray import tune
from ray.tune.schedulers import MedianStoppingRule
from ray.tune.search.optuna import OptunaSearch
from ray.util.state import list_actors
from small_study import small_study
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from translearn.cluster.data.shared import Task
from translearn.cluster.resources import Resources
from translearn.cluster.tuning.results import TrialResult
from translearn.cluster.tuning.trainable import FineTune
from translearn.cluster.tuning.tuner import SEARCH, run_search
from translearn.config import StudySpec
from translearn.data.images.image_set import ImageSet
from translearn.errors import TranslearnError
from translearn.models.network import build
from translearn.models.sources import Source, initial_network, scratch
from translearn.models.weights import fingerprint
from translearn.storage.folder import Folder
from translearn.training.config import TrainConfig
from translearn.training.loop import fine_tune

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

Config = dict[str, Any]
RATES = {"search__lr": [1e-4, 1e-2], "train__batch_size": 10, "cluster__checkpoint_interval_s": 0.0}


def given(*configs: tuple[str, int, float]) -> list[Config]:
    """First configurations, of which the searcher has nothing to add."""
    return [{"source": source, "freeze_depth": depth, "lr": lr} for source, depth, lr in configs]


GRID = given(("scratch", 0, 1e-3), *[("a", depth, lr) for depth in (1, 4, 5) for lr in (1e-3, 1e-2)])


def images(num: int, seed: int) -> ImageSet:
    """Two classes of noise, dark and light."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 2
    pixels = rng.integers(0, 256, (num, 32, 32, 3)) * (0.4 + 0.6 * labels[:, None, None, None])
    return ImageSet(pixels.astype(np.uint8), labels.astype(np.int64), np.arange(num, dtype=np.uint64))


@pytest.fixture(scope="module")
def task() -> Task:
    state = {name: tensor.clone() for name, tensor in build("resnet18", 2, 1).state_dict().items()}
    source = Source("a", "resnet18", "checkpoint", state, fingerprint=fingerprint(state))
    return Task(images(21, 0), images(9, 1), 2, {"a": source, "scratch": scratch("resnet18")})


def layout(workers_per_trial: int = 1, at_once: int = 2) -> Resources:
    return Resources(1, 0, workers_per_trial, at_once)


def study(folder: Any, first: Sequence[Config], **changes: Any) -> StudySpec:
    plain = {"search__sampler": "random", "search__scheduler": "none", "search__trials": len(first)}
    return small_study(folder, **{**plain, **RATES, **changes})


def search(task: Task, folder: Any, first: Sequence[Config], **changes: Any) -> list[TrialResult]:
    return run_search(study(folder, first, **changes), task, Folder.open(folder), layout(), first)


def plainly(spec: StudySpec, task: Task, config: Mapping[str, Any]) -> tuple[list[tuple[float, ...]], str]:
    """The curve of a trial as it is without Ray, and its weights' hash."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    network, _ = initial_network(task.sources[config["source"]], task.num_classes, spec.seed)
    train = spec.train.model_copy(update={"weight_decay": config["weight_decay"]})
    how = TrainConfig(config["freeze_depth"], config["lr"], spec.search.epochs, spec.seed, train)
    results = []
    for result in fine_tune(network, task.train, task.val, how):
        results.append((result.epoch, result.train_loss, result.val_loss, result.val_error))
    torch.set_num_threads(before)
    return results, fingerprint(result.state()["model"])


def figures(trial: TrialResult) -> list[tuple[float, ...]]:
    return [(row["epoch"], row["train_loss"], row["val_loss"], row["val_error"]) for row in trial.curve]


def actors_of_trials() -> list[Any]:
    """The living actors of trials."""
    address = ray.get_runtime_context().gcs_address
    found = list_actors(address, filters=[("state", "=", "ALIVE")])
    return [actor for actor in found if "Trainable" in (actor.class_name or "")]  # Tune's wrapper of FineTune


@pytest.fixture(scope="module")
def found(ray_session, task, tmp_path_factory) -> tuple[StudySpec, Path, list[TrialResult], list[int]]:
    """A search of seven trials under ASHA: spec, folder, results, and the numbers of living actors seen."""
    folder, seen = tmp_path_factory.mktemp("search"), list[int]()
    spec = study(folder, GRID, search__scheduler="asha", search__epochs=6, search__grace_epochs=2)
    over = threading.Event()

    def count() -> None:
        while not over.wait(0.5):
            seen.append(len(actors_of_trials()))

    counting = threading.Thread(target=count, daemon=True)
    counting.start()
    try:
        results = run_search(spec, task, Folder.open(folder), layout(), GRID)
    finally:
        over.set()
        counting.join()
    return spec, folder, results, seen


COLUMNS = {
    "config/source": {"a", "scratch"},
    "config/arch": {"resnet18"},
    "config/freeze_depth": {0, 1, 4, 5},
    "config/lr": {1e-3, 1e-2},
    "config/weight_decay": {1e-4},
}


def test_ray_s_own_tools_open_a_search_that_is_done(found):
    _, folder, results, _ = found
    path = str(folder / SEARCH)
    frames = [
        tune.Tuner.restore(path, FineTune).get_results().get_dataframe(),
        tune.ExperimentAnalysis(path).dataframe(metric="val_error", mode="min"),
    ]
    for frame in frames:
        assert {name: set(frame[name]) for name in COLUMNS} == COLUMNS
        assert len(frame) == len(GRID) == len(results)
    errors = {trial.run.rpartition("-")[2]: trial.curve[-1]["val_error"] for trial in results}
    assert dict(zip(frames[0]["trial_id"], frames[0]["val_error"], strict=True)) == errors


def test_tune_s_loggers_are_on_and_hparams_lists_the_trials(found):
    _, folder, results, _ = found
    for trial in results:
        there = {path.name.split(".out")[0] for path in (folder / SEARCH / trial.run).iterdir()}
        assert {"progress.csv", "result.json", "params.json", "events"} <= there
        assert not any(name.startswith("checkpoint") for name in there)
        events = EventAccumulator(str(folder / SEARCH / trial.run)).Reload()
        assert len(events.Scalars("ray/tune/val_error")) == len(trial.curve)
        session = plugin_data_pb2.HParamsPluginData.FromString(
            events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        )
        told = session.session_start_info.hparams
        assert told["source"].string_value == trial.config["source"]
        assert told["lr"].number_value == trial.config["lr"]
        assert told["freeze_depth"].number_value == trial.config["freeze_depth"]


def test_trials_are_named_after_what_they_try(found):
    assert all(re.fullmatch(r"(a|scratch)-d[0-5]-lr\d\.\de[+-]\d\d-\w{8}", trial.run) for trial in found[2])


def test_no_more_actors_live_than_trials_run_at_once(found):
    assert 0 < max(found[3]) <= 2


def test_every_trial_gives_the_bits_of_the_plain_one(found, task):
    spec, _, results, _ = found
    for trial in results:
        curve, weights = plainly(spec, task, trial.config)
        assert figures(trial) == curve[: len(trial.curve)]
        if len(trial.curve) == spec.search.epochs:
            assert trial.curve[-1]["weights"] == weights


@pytest.mark.slow
def test_trials_of_the_head_alone_read_probe_features_and_give_the_bits_of_the_plain_one(ray_session, task, tmp_path):
    first = given(("a", 5, 1e-3), ("a", 5, 1e-2), ("a", 4, 1e-3))
    spec = study(tmp_path, first, train__augment="none")
    for trial in search(task, tmp_path, first, train__augment="none"):
        assert (figures(trial), trial.curve[-1]["weights"]) == plainly(spec, task, trial.config)


def test_scratch_is_compared_with_scratch_alone(found):
    spec, _, results, _ = found
    lengths = {trial.run: len(trial.curve) for trial in results if trial.config["source"] == "scratch"}
    assert set(lengths.values()) == {spec.search.epochs}
    assert any(len(trial.curve) < spec.search.epochs for trial in results)


@pytest.mark.slow
def test_a_random_search_without_a_scheduler_repeats_as_a_whole(ray_session, task, tmp_path):
    tables = []
    for name in ("one", "other"):
        spec = study(tmp_path / name, [{}] * 4, search__epochs=1)
        trials = run_search(spec, task, Folder.open(tmp_path / name), layout())
        tables.append([(trial.config, figures(trial), trial.curve[-1]["weights"]) for trial in trials])
    assert tables[0] == tables[1]
    assert len({config["lr"] for config, *_ in tables[0]}) == 4


@pytest.mark.slow
def test_any_searcher_and_scheduler_of_tune_can_be_given(ray_session, task, tmp_path):
    spec = study(tmp_path, [{}] * 3, search__epochs=2)
    trials = run_search(
        spec,
        task,
        Folder.open(tmp_path),
        layout(),
        search_alg=OptunaSearch(seed=1),
        scheduler=MedianStoppingRule("epoch"),
    )
    assert len(trials) == 3
    assert {trial.config["source"] for trial in trials} <= {"a", "scratch"}
    assert all(trial.config["freeze_depth"] == 0 for trial in trials if trial.config["source"] == "scratch")
    assert {trial.config["arch"] for trial in trials} == {"resnet18"}


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["hyperband", "median"])
def test_other_schedulers_end_a_search_too(ray_session, task, tmp_path, scheduler):
    trials = search(task, tmp_path, GRID, search__scheduler=scheduler, search__epochs=4)
    assert len(trials) == len(GRID)
    spec = study(tmp_path, GRID, search__epochs=4)
    for trial in trials:
        assert figures(trial) == plainly(spec, task, trial.config)[0][: len(trial.curve)]


@pytest.mark.slow
def test_diverging_trials_end_with_their_reason_and_the_search_goes_on(ray_session, task, tmp_path):
    first = given(("scratch", 0, 1e11), ("a", 1, 1e-3), ("a", 1, 1e12))
    trials = search(task, tmp_path, first, search__lr=[1e-3, 1e12])
    assert [bool(trial.reason) for trial in trials] == [True, False, True]
    assert {trial.curve[-1]["val_error"] for trial in trials if trial.reason} == {1.0}
    for trial in (trials[0], trials[2]):
        assert re.fullmatch(
            r"(train|val)_loss is (nan|inf) in epoch 1 at lr 1e\+1\d, freeze depth [01]\. "
            r"A lower learning rate or train\.clip_norm helps\.",
            trial.reason or "",
        )


@pytest.mark.slow
def test_a_search_of_which_every_trial_fails_says_why(ray_session, task, tmp_path):
    with pytest.raises(TranslearnError, match=r"search: no trial gave a result\. The first one failed: .*_loss is"):
        search(task, tmp_path, given(("a", 0, 1e12), ("scratch", 0, 1e12)), search__lr=[1e-3, 1e12])


@pytest.mark.slow  # the short drill kills a trial too
def test_an_actor_that_is_killed_costs_nothing(ray_session, task, tmp_path):
    killed: list[int] = []

    def kill_once(run: str, config: Any, result: Mapping[str, Any], is_over: bool) -> None:
        if result["epoch"] == 2 and not killed:
            killed.append(result["pid"])
            os.kill(result["pid"], signal.SIGKILL)

    first = given(("a", 3, 1e-3), ("scratch", 0, 1e-3))
    spec = study(tmp_path, first, search__epochs=5)
    trials = run_search(spec, task, Folder.open(tmp_path), layout(), first, on_result=kill_once)
    assert killed
    for trial in trials:
        assert (figures(trial), trial.curve[-1]["weights"]) == plainly(spec, task, trial.config)


class InterruptError(Exception):
    pass


def interrupted_after(num: int) -> Any:
    """Ends a search when so many of its trials have ended, and Tune's snapshot knows it."""
    ended = set[str]()

    def is_due(run: str, is_over: bool) -> bool:
        ended.update([run] if is_over else [])
        return len(ended) >= num

    return interrupted_when(lambda run, _, is_over: is_due(run, is_over))


def interrupted_when(is_due: Callable[[str, Mapping[str, Any], bool], bool]) -> Any:
    """Ends a search when this is due, and Tune's snapshot knows it."""
    calls: list[str] = []

    def follow(run: str, config: Any, result: Any, is_over: bool) -> None:
        if not is_due(run, result, is_over):
            return
        calls.append(run)
        if len(calls) == 1:
            time.sleep(3)  # the next snapshot is then due
        if len(calls) == 3:
            raise InterruptError

    return follow


def test_an_interrupted_search_goes_on_with_what_is_missing(ray_session, task, tmp_path):
    # The second trial of a source is stopped at its first rung only where the rung knows of the first one.
    first = given(("a", 5, 1e-2), ("scratch", 0, 1e-3), ("a", 1, 1e-4))
    changes = {"search__epochs": 4, "search__scheduler": "asha", "search__grace_epochs": 2}
    spec, alone = study(tmp_path, first, **changes), layout(at_once=1)
    with pytest.raises(Exception, match="InterruptError"):
        run_search(spec, task, Folder.open(tmp_path), alone, first, on_result=interrupted_after(1))
    seen: list[str] = []
    trials = run_search(spec, task, Folder.open(tmp_path), alone, first, on_result=lambda run, *_: seen.append(run))
    assert [trial.config["freeze_depth"] for trial in trials] == [5, 0, 1]
    assert trials[0].run not in seen
    assert [len(trial.curve) for trial in trials] == [4, 4, 2]
    for trial in trials:
        assert figures(trial) == plainly(spec, task, trial.config)[0][: len(trial.curve)]


@pytest.mark.slow
def test_a_trial_whose_checkpoint_is_gone_begins_anew(ray_session, task, tmp_path):
    first = given(("scratch", 0, 1e-3), ("a", 5, 1e-3))
    spec, alone = study(tmp_path, first, search__epochs=6), layout(at_once=1)
    interrupt = interrupted_when(lambda run, result, is_over: result["epoch"] >= 2)
    with pytest.raises(Exception, match="InterruptError"):
        run_search(spec, task, Folder.open(tmp_path), alone, first, on_result=interrupt)
    gone = list(tmp_path.glob(f"{SEARCH}/*/checkpoint_*"))
    assert gone
    for folder in gone:
        shutil.rmtree(folder)
    epochs: list[int] = []

    def follow(run: str, config: Any, result: Mapping[str, Any], is_over: bool) -> None:
        epochs.append(result["epoch"])

    trials = run_search(spec, task, Folder.open(tmp_path), alone, first, on_result=follow)
    assert epochs[0] == 1
    for trial in trials:
        assert (trial.reason, figures(trial)) == (None, plainly(spec, task, trial.config)[0])


@pytest.mark.slow
def test_a_trial_that_lost_its_actor_too_often_is_tried_again_by_the_next_command(ray_session, task, tmp_path):
    def kill(run: str, config: Any, result: Mapping[str, Any], is_over: bool) -> None:
        if config["source"] == "scratch":
            with suppress(ProcessLookupError):  # it had a second result on its way
                os.kill(result["pid"], signal.SIGKILL)

    first = given(("a", 3, 1e-3), ("scratch", 0, 1e-3))
    spec, alone = study(tmp_path, first, search__epochs=8), layout(at_once=1)
    lost = run_search(spec, task, Folder.open(tmp_path), alone, first, on_result=kill)
    assert [bool(trial.reason) for trial in lost] == [False, True]
    trials = run_search(spec, task, Folder.open(tmp_path), alone, first)
    for trial in trials:
        assert (trial.reason, figures(trial)) == (None, plainly(spec, task, trial.config)[0])


@pytest.mark.slow
def test_a_search_whose_state_cannot_be_read_is_named_and_made_again(ray_session, task, tmp_path, capsys):
    first = given(("a", 5, 1e-3), ("scratch", 0, 1e-3))
    once = search(task, tmp_path, first, search__epochs=1)
    (tmp_path / SEARCH / "tuner.pkl").write_bytes(b"damaged")
    again = search(task, tmp_path, first, search__epochs=1)
    assert [figures(trial) for trial in again] == [figures(trial) for trial in once]
    assert re.search(r"warning: .*search cannot be read \(.*\): its trials are made again", capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_a_search_that_was_interrupted_here_gives_its_cpus_to_the_next_one(ray_session, task, tmp_path):
    first = given(("a", 5, 1e-3), ("scratch", 0, 1e-3))
    spec = study(tmp_path, first, search__epochs=2)

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_search(spec, task, Folder.open(tmp_path), layout(), first, on_result=interrupt)
    assert len(run_search(spec, task, Folder.open(tmp_path), layout(), first)) == 2


@pytest.mark.slow
def test_two_workers_a_trial_give_the_curve_of_one(ray_session, task, tmp_path):
    # A small rate: BatchNorm over a few examples amplifies rounding, and nothing else may differ.
    first = given(("a", 0, 1e-4), ("a", 4, 1e-4), ("a", 5, 1e-4))
    curves = {}
    for workers in (1, 2):
        folder = Folder.open(tmp_path / str(workers))
        spec = study(folder.path, first, search__epochs=2, cluster__workers_per_trial=workers)
        trials = run_search(spec, task, folder, layout(workers, at_once=1), first)
        assert [trial.reason for trial in trials] == [None] * 3
        curves[workers] = [figures(trial) for trial in trials]
    np.testing.assert_allclose(curves[1], curves[2], rtol=5e-4)


@pytest.mark.slow
def test_a_time_budget_ends_a_search(ray_session, task, tmp_path):
    trials = search(task, tmp_path, GRID, search__epochs=2000, search__time_budget_s=20.0)
    assert 0 < len(trials) < len(GRID)
    assert all(0 < len(trial.curve) < 2000 for trial in trials)
