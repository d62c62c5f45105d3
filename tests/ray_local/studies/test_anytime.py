"""Studies that end within a time, and one that is interrupted: on a real Ray."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from small_study import small_tree

import translearn
from translearn.cli import main
from translearn.study import run, search

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1800)]


def write(storage: Path, **changes: Any) -> str:
    storage.mkdir(parents=True, exist_ok=True)
    file = storage / "small.yaml"
    file.write_text(yaml.safe_dump(small_tree(storage, **changes)))
    return str(file)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_study_of_hours_ends_within_a_little_more_than_its_least_time_and_says_what_it_left_out(
    ray_session, tmp_path, capsys
):
    refit = {
        "seeds": 3,
        "epochs": 200,
        "candidates": 3,
        "baseline_cap": 8,
        "label_fractions": [0.5],
        "forgetting": True,
    }
    changes = {"target__image_size": 16, "search__trials": 200, "search__epochs": 200, "search__scheduler": "none"}
    file = write(tmp_path, refit=refit, **changes)
    assert main(["run", file, "--time", "10s"]) == 2
    least = re.search(r"time_budget_s: must be at least (\d+), ", capsys.readouterr().err)
    assert least
    assert not (tmp_path / "small").exists()
    time_s, began = round(1.3 * int(least[1])), time.monotonic()
    assert main(["run", file, "--time", f"{time_s}s"]) == 0
    assert time.monotonic() - began <= 1.1 * time_s
    folder, out = tmp_path / "small", capsys.readouterr().out
    assert "left out for it: refit.label_fractions [] instead of [0.5]; refit.forgetting false instead of true; " in out
    plan, found = read(folder / "time_plan.json"), read(folder / "evaluation.json")
    assert plan["search"]["trials"] < 200
    assert plan["refit"]["label_fractions"] == []
    assert found["budget"]["warnings"][0].startswith("time_budget_s: left out for it: ")
    assert found["budget"]["refit_epochs"] == plan["refit"]["epochs"]
    assert found["transfer"] is not None
    assert 0 < read(folder / "time.json")["used_s"] <= 1.1 * time_s


def interrupted(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_a_study_that_is_interrupted_leaves_a_model_and_a_page_and_goes_on_to_its_own(
    ray_session, tmp_path, capsys, monkeypatch
):
    file, folder = write(tmp_path, search__scheduler="none"), tmp_path / "small"
    with monkeypatch.context() as patched:
        patched.setattr(run, "search", interrupted)
        assert main(["run", file]) == 1
    first = read(folder / "model" / "model.json")["info"]
    assert (
        first["provenance"]["what"] == "linear probe of glyphs, in closed form on 40 training images, before any trial"
    )
    out = capsys.readouterr().out
    assert "No verdict yet." in out
    assert f"To go on: translearn run {file}" in out
    assert "<h1>No verdict yet</h1>" in (folder / "report.html").read_text()
    model = translearn.load_model(folder)
    assert model.predict(np.zeros((40, 40, 3), np.uint8)).probabilities.shape == (1, 10)
    assert main(["report", file]) == 2  # it is not taken for done

    with monkeypatch.context() as patched:  # the trials have ended
        patched.setattr(search, "keep_trials", interrupted)
        assert main(["run", file]) == 1
    trial = read(folder / "model" / "model.json")["info"]
    lasts = [json.loads(path.read_text().splitlines()[-1]) for path in (folder / "search").glob("*/result.json")]
    whole = [row["val_error"] for row in lasts if row.get("epoch") == row.get("epochs") == 3]
    assert len(whole) == 5
    assert trial["errors"]["validation"] == min([first["errors"]["validation"], *whole])
    assert "Best trial so far: " in (folder / "report.html").read_text()

    assert main(["run", file]) == 0
    final, found = read(folder / "model" / "model.json")["info"], read(folder / "evaluation.json")
    assert final["provenance"]["step"] == "refit"
    assert final["errors"]["test"] == found["deployed"]["error"]
    assert "No verdict yet" not in (folder / "report.html").read_text()
