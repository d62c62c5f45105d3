"""A whole study on a real Ray: what it leaves, and that it repeats nothing."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
import safetensors.torch
import torch
import yaml
from small_study import small_study, small_tree
from torchvision.models import resnet18

import translearn as tl
from translearn.cli import main
from translearn.data.dataset import open_dataset
from translearn.data.images.decode import decode_split
from translearn.data.transforms import to_input
from translearn.errors import TranslearnError
from translearn.study.refits.refit import refit_seeds

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

LEFT = {
    *("spec.yaml", "provenance.json", "costs.parquet", "sources.parquet", "trials.parquet", "curves.parquet"),
    *("evaluation.json", "report.html", "model", "sources", "refit", "search", "data"),
    *("test_reads.json", "mistakes.parquet", "ranking.json", "ranking.parquet", "leaks.json", "target_check.json"),
}


def write(path: Path, tree: dict) -> str:
    path.write_text(yaml.safe_dump(tree))
    return str(path)


def last_json(text: str) -> dict:
    return json.loads(text.strip().splitlines()[-1])


def refits(folder: Path) -> set[str]:
    """The names of the refits, as the figures have the candidates."""
    candidates = json.loads((folder / "evaluation.json").read_text())["candidates"]
    labels = {f"labels-{role}-0.5-0" for role in ("transfer", "scratch")}
    depths = {path.name for path in (folder / "refit").glob("depth-[0-5]")}
    return {f"{row['name']}-{index}" for row in candidates for index in (0, 1)} | labels | depths


def stamps(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def study(ray_session, tmp_path_factory):
    storage = tmp_path_factory.mktemp("runs")
    file = write(storage / "small.yaml", small_tree(storage))
    assert main(["run", file, "--json"]) == 0
    return file, storage / "small"


def test_it_leaves_what_the_design_says(study):
    _, folder = study
    assert {path.name for path in folder.iterdir()} == LEFT
    assert {path.name for path in (folder / "refit").iterdir()} == {*refits(folder), "tensorboard"}
    info = json.loads((folder / "model" / "model.json").read_text())["info"]
    assert info["classes"] == [str(digit) for digit in range(10)]
    assert info["errors"]["test"] is not None
    assert info["temperature"] > 0
    names = {"model.json", "model.safetensors", "labels.txt", "README.md"}
    assert {path.name for path in (folder / "model").iterdir()} == names
    assert (folder / "model" / "labels.txt").read_text().split() == info["classes"]
    card = (folder / "model" / "README.md").read_text()
    assert f"| Error on test | {100 * info['errors']['test']:.1f} % (95 % interval " in card
    assert "- Data: sklearn:digits, 40 training," in card


def test_the_model_that_one_uses_makes_the_mistakes_that_the_report_counts(study):
    _, folder = study
    spec, found = small_study(folder.parent), json.loads((folder / "evaluation.json").read_text())
    network = resnet18(num_classes=10).eval()
    network.load_state_dict(safetensors.torch.load_file(folder / "model" / "model.safetensors"))
    images = decode_split(open_dataset(folder / "data" / "target"), "test", 32, 12, spec.seed)
    with torch.inference_mode():
        predicted = network(to_input(torch.from_numpy(images.images[np.arange(len(images))]))).argmax(1).numpy()
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (images.labels, predicted), 1)
    assert found["classification"]["confusion"] == counts.tolist()
    assert json.loads((folder / "model" / "model.json").read_text())["info"]["precision"] == "fp32"


def test_networks_and_the_model_have_what_they_cost(study):
    _, folder = study
    (row,) = pq.read_table(folder / "costs.parquet").to_pylist()
    size = sum(parameter.numel() for parameter in resnet18(num_classes=10).parameters())
    assert (row["arch"], row["num_parameters"]) == ("resnet18", size)
    assert row["cpu"]
    assert row["cpu_latency_ms"] > 0 < row["cpu_images_per_s"]
    assert json.loads((folder / "evaluation.json").read_text())["cost"] == row
    assert f"| Cost | resnet18, {size / 1e6:.3g} million parameters, " in (folder / "model" / "README.md").read_text()


def test_workers_log_each_epoch_with_study_and_trial(study):
    _, folder = study
    logs = Path(ray._private.worker._global_node.get_logs_dir_path())
    lines = [line for path in logs.glob("worker-*.out") for line in path.read_text().splitlines() if line[:1] == "{"]
    rows = [row for row in map(json.loads, lines) if row["study"] == "small"]
    told = {(row["trial"], row["epoch"]) for row in rows if row["event"] == "epoch"}
    curves = pq.read_table(folder / "curves.parquet").to_pylist()
    assert {(row["run"], row["epoch"]) for row in curves} <= told


def test_every_trial_and_epoch_has_a_row(study):
    _, folder = study
    trials, curves = (pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("trials", "curves"))
    assert len(trials) == 5
    assert {row["source"] for row in trials} == {"glyphs", "scratch"}
    assert {row["threads"] for row in trials} == {1}
    assert {row["precision"] for row in trials} == {"fp32"}
    for trial in trials:
        epochs = [row["epoch"] for row in curves if row["run"] == trial["trial_id"]]
        assert epochs == list(range(1, trial["epochs"] + 1))
    stages = {(row["stage"], row["run"]) for row in curves if row["stage"] != "search"}
    assert stages == {("pretrain", "glyphs"), *(("refit", run) for run in refits(folder))}


def test_the_default_configuration_is_tried_and_scratch_has_its_share(study):
    _, folder = study
    trials = pq.read_table(folder / "trials.parquet").to_pylist()
    assert any(row["source"] == "glyphs" and row["freeze_depth"] == 0 and row["lr"] == 0.01 for row in trials)
    scratch = [row for row in trials if row["source"] == "scratch"]
    assert len(scratch) >= 3
    assert "done" in {row["status"] for row in scratch}


def test_trials_tell_their_weights_and_times(study):
    _, folder = study
    trials = pq.read_table(folder / "trials.parquet").to_pylist()
    done = [row for row in trials if row["status"] == "done"]
    assert all(re.fullmatch("[0-9a-f]{64}", row["weights"]) for row in done)
    assert all(row["ended_at"] > row["started_at"] > 1.7e9 for row in trials)


def test_figures_agree_with_each_other(study):
    _, folder = study
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["num_train"] == 40
    errors = {role: made["error"] for role, made in evaluation["configurations"].items()}
    assert evaluation["transfer"]["gain"] == pytest.approx(errors["scratch"] - errors["transfer"])
    curves = pq.read_table(folder / "curves.parquet").to_pylist()
    ends = {row["run"]: row["val_error"] for row in curves if row["stage"] == "refit" and row["epoch"] == 2}
    seeds = refit_seeds(small_study(folder.parent))
    for row in evaluation["candidates"]:
        assert row["refit_error"] == pytest.approx(np.mean([ends[f"{row['name']}-{n}"] for n in (0, 1)]), abs=1e-9)
    assert evaluation["labels"]["curves"]["transfer"][0]["num_labels"] == 20
    for made in evaluation["configurations"].values():
        for model in made["models"]:
            # The loop's own figure in the worker, and that of the saved model in another process.
            run = f"{made['trial']['candidate']}-{seeds.index(model['seed'])}"
            assert model["validation_error"] == pytest.approx(ends[run], abs=1e-9)
    forgotten = evaluation["forgetting_by_depth"]
    assert forgotten["before"] == evaluation["forgetting"]["before"]
    assert [row["freeze_depth"] for row in forgotten["depths"]] == list(range(6))
    # The linear probe leaves the source's stages as they are.
    assert forgotten["depths"][5]["source"] == forgotten["before"]
    assert forgotten["depths"][5]["rise"]["value"] == 0


def test_tensorboard_has_all_stages(study):
    _, folder = study
    assert len(list(folder.glob("search/*/events.out.tfevents.*"))) == 5
    assert len(list(folder.glob("refit/tensorboard/*/events.out.tfevents.*"))) == len(refits(folder))
    assert len(list(folder.glob("sources/tensorboard/glyphs/events.out.tfevents.*"))) == 1


def test_running_it_again_repeats_nothing(study, capsys):
    file, folder = study
    before = stamps(folder)
    assert main(["run", file, "--json"]) == 0
    after = stamps(folder)
    changed = {Path(path).name for path in before if before[path] != after.get(path)}
    assert changed <= {"report.html"}
    assert set(after) == set(before)
    assert last_json(capsys.readouterr().out)["status"] == "done"


def test_candidates_are_as_many_of_scratch_as_of_transfer(study):
    _, folder = study
    rows = json.loads((folder / "evaluation.json").read_text())["candidates"]
    names = [row["name"].split("-")[0] for row in rows]
    assert names.count("transfer") == names.count("scratch") == 2
    assert {role for row in rows for role in row["chosen_as"]} >= {"transfer", "scratch"}


@pytest.mark.slow
def test_test_is_read_once_and_a_second_reading_says_so(study):
    """Together with what was lost: it alone is made again, and gives the same figures."""
    file, folder = study
    kept = (folder / "refit" / "transfer-0-0" / "model.json").stat().st_mtime_ns
    first = json.loads((folder / "evaluation.json").read_text())
    assert (first["test_reads"], len(json.loads((folder / "test_reads.json").read_text()))) == (1, 1)
    (folder / "refit" / "scratch-0-1" / "model.json").unlink()
    (folder / "evaluation.json").unlink()
    assert main(["evaluate", file]) == 0
    assert (folder / "refit" / "transfer-0-0" / "model.json").stat().st_mtime_ns == kept
    again = json.loads((folder / "evaluation.json").read_text())
    reads = json.loads((folder / "test_reads.json").read_text())
    assert [read["reason"] for read in reads] == [
        "to evaluate",
        "to evaluate again: the figures of an earlier reading are not there",
    ]
    assert again["test_reads"] == 2
    assert any(line.startswith("Warning: test was read 2 times") for line in again["summary"])
    for changed in ("test_reads", "summary", "dynamics"):  # of dynamics the seconds
        first.pop(changed), again.pop(changed)
    assert again == first  # the run repeats bit for bit


def test_a_changed_spec_under_the_same_name_is_refused(study, capsys):
    file, folder = study
    assert main(["run", file, "--set", "search.trials=6", "--json"]) == 2
    out = capsys.readouterr()
    assert f"search.trials: must stay 5 as in {folder}/spec.yaml, but got 6." in out.err
    assert last_json(out.out)["status"] == "bad input"


def test_from_python_a_study_goes_on_repeats_nothing_and_gives_its_result(study):
    file, folder = study
    made = {name: (folder / name).stat().st_mtime_ns for name in ("trials.parquet", "evaluation.json")}
    (folder / "report.html").unlink()  # else nothing is left to do
    result = tl.run(tl.load_study(file))
    assert {name: (folder / name).stat().st_mtime_ns for name in made} == made
    assert (folder / "report.html").exists()
    assert result.verdict == json.loads((folder / "evaluation.json").read_text())["verdict"]["verdict"]
    assert result.trials.to_pandas()["trial_id"].nunique() == 5
    assert len(result.model.predict(np.zeros((8, 8), np.uint8))) == 1
    assert result.report == str(folder / "report.html")
    with pytest.raises(TranslearnError, match=r"^seed: must stay 0 as in "):
        tl.run(tl.load_study(file, ["seed=1"]))


@pytest.mark.slow
def test_scratch_is_trained_with_more_steps_and_compared(ray_session, tmp_path):
    changes = {"refit": {"seeds": 2, "epochs": 2, "candidates": 1, "baseline_cap": 3}, "search__freeze_depth": [0]}
    file, folder = write(tmp_path / "more.yaml", small_tree(tmp_path, name="more", **changes)), tmp_path / "more"
    assert main(["run", file, "--json"]) == 0
    found = json.loads((folder / "evaluation.json").read_text())
    gain, epochs = found["gain_at_convergence"], pq.read_table(folder / "curves.parquet").to_pylist()
    longer = {row["run"] for row in epochs if row["stage"] == "refit" and row["epoch"] == 6}
    assert longer == {"scratch-0-x3-0", "scratch-0-x3-1"}
    assert [row["times_the_steps"] for row in gain["lengths"]] == [1, 3]
    best = min(gain["lengths"], key=lambda row: row["validation_error"])
    assert (gain["times_the_steps"], gain["steps"]) == (best["times_the_steps"], best["steps"])
    assert gain["seeds"] == found["transfer"]["seeds"]
    # The search had no linear probe.
    assert (folder / found["linear_probe"]["model"] / "model.json").exists()
    assert found["budget"]["warnings"][0].startswith("search.epochs: 3 epochs are 9 steps, few for 40 training images")
    assert "few for 40 training images" in (folder / "report.html").read_text()


@pytest.mark.slow
def test_a_dry_run_leaves_nothing(ray_session, tmp_path, capsys):
    file = write(tmp_path / "dry.yaml", small_tree(tmp_path / "never", name="dry"))
    assert main(["run", file, "--dry-run", "--json"]) == 0
    out = capsys.readouterr().out
    assert "search: 5 trials of at most 3 epochs of 3 steps, 2 at once, 1 worker of 1 CPU a trial: at most" in out
    assert "its figures mean nothing" in out
    assert not (tmp_path / "never").exists()
    assert last_json(out) == {"command": "run", "status": "done", "dry_run": True}


@pytest.mark.slow
def test_finetune_is_one_run(study, capsys):
    file, folder = study
    assert main(["finetune", file, "--source", "glyphs", "--freeze-depth", "5", "--lr", "0.01", "--json"]) == 0
    result = last_json(capsys.readouterr().out)
    assert result["model"] == str(folder / "finetune" / "glyphs-d5-lr0.01")
    assert 0 <= result["val_error"] <= 1


def test_weights_that_were_replaced_are_refused(study, capsys):
    file, folder = study
    table = folder / "sources.parquet"
    kept = table.read_bytes()
    rows = pq.read_table(table).to_pylist()
    pq.write_table(pa.Table.from_pylist([{**rows[0], "fingerprint": "0" * 64}, *rows[1:]]), table)
    assert main(["evaluate", file]) == 2  # `run` only says that the study is done
    assert (
        "sources.glyphs: must keep the weights that this study began with (000000000000), but got "
        f"{rows[0]['fingerprint'][:12]}. Put the old file back, or start a study of another name."
    ) in capsys.readouterr().err
    table.write_bytes(kept)


def test_the_experiment_is_left_without_checkpoints(study):
    _, folder = study
    assert (folder / "search" / "tuner.pkl").exists()
    assert not list((folder / "search").glob("*/checkpoint_*"))


@pytest.mark.slow
@pytest.mark.parametrize(("lost", "kept"), [("scratch", "transfer"), ("transfer", "scratch")])
def test_a_study_whose_refits_of_one_role_all_diverged_has_a_model_and_says_so(study, tmp_path, capsys, lost, kept):
    shutil.copytree(study[1], tmp_path / "small")
    file, folder = write(tmp_path / "small.yaml", small_tree(tmp_path)), tmp_path / "small"
    spec = folder / "spec.yaml"
    spec.write_text(spec.read_text().replace(str(study[1].parent), str(tmp_path)))
    shutil.rmtree(folder / "model")
    (folder / "evaluation.json").unlink()
    for run in [*folder.glob(f"refit/{lost}-*"), *(folder.glob("refit/probe-*") if lost == "transfer" else ())]:
        (run / "model.json").unlink()
        (run / "failed.json").write_text('{"reason": "train_loss is nan in epoch 1."}')
    capsys.readouterr()
    assert main(["run", file, "--json"]) == 0
    out = capsys.readouterr().out
    warning = f"Not compared: no trial of {lost} came to its end with every seed. "
    assert warning + f"The first: refit {lost}-0-0: train_loss is nan in epoch 1. A study with " in out
    closing = last_json(out)
    assert (closing["status"], closing["verdict"], closing["transfer_gain"]) == ("done", "not compared", None)
    assert closing["winner"]["role"].removeprefix("converged") in (kept, "")
    assert (folder / "model" / "model.json").exists()
    page = (folder / "report.html").read_text()
    assert '<h1 class="not-compared">Not compared</h1>' in page
    assert f"No trial of {lost} came to its end with every seed. " in page
    assert json.loads((folder / "evaluation.json").read_text())["left_out"][f"{lost}-0"]
