"""A matrix on a real Ray: two sources on two targets and one more, what it leaves, and that it repeats nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from small_study import small_tree

from translearn.cli import main

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]


def last_json(text: str) -> dict:
    return json.loads(text.strip().splitlines()[-1])


def stamps(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def matrix(ray_session, tmp_path_factory):
    """Both sources were trained on data sets that are targets, too."""
    storage = tmp_path_factory.mktemp("runs")
    sets = storage / "sets"
    for name in ("glyphs", "textures"):
        small = ["--limit-per-class", "12"]
        assert main(["ingest", f"procedural:{name}?num=400&size=32", str(sets / name), *small]) == 0
    (sets / "notes.txt").write_text("no data set")
    tree = small_tree(storage, search__trials=3, search__epochs=1, refit__candidates=1, refit__epochs=1)
    tree["sources"] = [
        {"name": f"of-{name}", "arch": "resnet18", "pretrain": {"data": str(sets / name), "epochs": 1, "lr": 0.05}}
        for name in ("glyphs", "textures")
    ]
    file = storage / "small.yaml"
    file.write_text(yaml.safe_dump(tree))
    command = ["matrix", str(file), "--targets", str(sets), "--json"]
    assert main(command) == 0
    return command, storage / "small" / "matrix"


def test_every_pair_has_its_row(matrix):
    _, folder = matrix
    rows = pq.read_table(folder / "matrix.parquet").to_pylist()
    assert [(row["target"], row["source"]) for row in rows] == [
        (target, source) for target in ("glyphs", "textures") for source in ("of-glyphs", "of-textures")
    ]
    assert [row["is_own_data"] for row in rows] == [True, False, False, True]
    assert {row["test_reads"] for row in rows} == {1}
    assert all(row["num_exact"] is not None and row["num_near"] is not None for row in rows)
    assert (folder / "glyphs" / "leaks.json").exists()
    assert {(row["num_seeds"], row["num_comparisons"]) for row in rows} == {(2, 4)}
    for row in rows:
        assert row["gain"] == pytest.approx(row["scratch_error"] - row["error"])
        assert row["family_low"] <= row["low"] <= row["gain"] <= row["high"] <= row["family_high"]


def test_both_directions_between_the_sources_own_data_sets(matrix):
    _, folder = matrix
    rows = {(r["target"], r["source"]): r["gain"] for r in pq.read_table(folder / "matrix.parquet").to_pylist()}
    (found,) = pq.read_table(folder / "asymmetry.parquet").to_pylist()
    assert (found["first"], found["second"], found["forward"]) == ("glyphs", "textures", "of-glyphs")
    expected = rows["textures", "of-glyphs"] - rows["glyphs", "of-textures"]
    assert found["difference"] == pytest.approx(expected)


def test_every_source_had_as_many_trials_and_scratch_too(matrix):
    _, folder = matrix
    for target in ("glyphs", "textures"):
        trials = pq.read_table(folder / target / "trials.parquet").to_pylist()
        counts = {
            name: sum(row["source"] == name for row in trials) for name in ("of-glyphs", "of-textures", "scratch")
        }
        assert set(counts.values()) == {1}
        # None was stopped by trials of another source: each has one that came to the end.
        assert {row["source"] for row in trials if row["status"] == "done"} == set(counts)
        assert len(json.loads((folder / target / "test_reads.json").read_text())) == 1
        assert not (folder / target / "refit").exists()


def test_the_page_names_all_and_what_is_no_data_set_is_left_out(matrix):
    _, folder = matrix
    page = (folder / "matrix.html").read_text()
    assert {"glyphs", "textures", "of-glyphs", "of-textures"} <= set(re.findall(r"[\w-]+", page))
    assert "http" not in re.sub(r"http://www.w3.org/\S+", "", page)
    assert not (folder / "notes").exists()


def test_running_it_again_repeats_nothing_and_says_the_same(matrix, capsys):
    command, folder = matrix
    before = stamps(folder)
    assert main(command) == 0
    after = stamps(folder)
    assert set(after) == set(before)
    assert {Path(path).name for path in before if before[path] != after[path]} == {
        *("matrix.parquet", "asymmetry.parquet", "matrix.html")
    }
    result = last_json(capsys.readouterr().out)
    assert (result["command"], result["status"], len(result["cells"])) == ("matrix", "done", 4)


def test_a_target_that_is_added_later_is_tried_alone_and_all_are_corrected_anew(matrix, capsys):
    command, folder = matrix
    kept = stamps(folder / "glyphs")
    assert main([*command, "--target", "digits=sklearn:digits"]) == 0
    assert {row["num_comparisons"] for row in last_json(capsys.readouterr().out)["cells"]} == {6}
    assert stamps(folder / "glyphs") == kept


def test_a_dry_run_leaves_nothing(matrix, tmp_path, capsys):
    command, folder = matrix
    before = set(stamps(folder.parent.parent))
    assert main([*command, "--dry-run"]) == 0
    assert last_json(capsys.readouterr().out) == {"command": "matrix", "status": "done", "dry_run": True}
    assert set(stamps(folder.parent.parent)) == before
