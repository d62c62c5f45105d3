"""Groups: frames of a clip and slices of a patient never cross splits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sources import hugging_face, image, write_files

from translearn.config import parse_spec
from translearn.data.ingest.carve_groups import carve_groups
from translearn.data.ingest.ingest import ingest, inspected
from translearn.data.ingest.options import IngestOptions
from translearn.data.ingest.plan import IngestPlan, plan_ingest
from translearn.errors import DataError, SpecError
from translearn.storage.folder import Folder

FRACTIONS = {"train": 0.7, "val": 0.15, "test": 0.15}


def _splits_of_groups(plan: IngestPlan) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in plan.listing.to_pylist():
        found.setdefault(row["group"], set()).add(row["split"])
    return found


def _clips(root, num_clips: int = 10, num_frames: int = 4):
    """Two classes, whose clips have numbers of their own, as an annotator would name them."""
    names = [
        f"{c}/clip{n + 100 * k}_{f:03d}.png"
        for k, c in enumerate("ab")
        for n in range(num_clips)
        for f in range(num_frames)
    ]
    return write_files(root, {name: image(number) for number, name in enumerate(names)})


@pytest.mark.parametrize("pattern", [r"clip(\d+)", r"clip\d+", r"(\w)/clip(\d+)"])
def test_a_pattern_keeps_the_frames_of_a_clip_together(tmp_path, pattern):
    plan = plan_ingest(str(_clips(tmp_path / "in")), IngestOptions(group=pattern))
    found = _splits_of_groups(plan)
    assert len(found) == 20
    assert all(len(splits) == 1 for splits in found.values())
    counts = plan.listing.group_by(["split", "label"]).aggregate([([], "count_all")]).to_pylist()
    wanted = {"train": 24, "val": 8, "test": 8}
    assert {(row["split"], row["label"]): row["count_all"] for row in counts} == {
        (split, label): num for split, num in wanted.items() for label in (0, 1)
    }
    dataset = ingest(plan, Folder.open(tmp_path / "out"), inspected(plan))
    assert dataset.manifest.options["group"] == pattern
    assert dataset.num_examples("train") == 48


@pytest.mark.parametrize("ending", ["csv", "parquet", "images"])
def test_a_column_group_does_the_same_for_tables(tmp_path, ending):
    patients = [float(number // 3) for number in range(60)]  # as pandas makes them beside an empty cell
    frame = pd.DataFrame({"path": [f"{n}.png" for n in range(60)], "label": list("ab") * 30, "group": patients})
    file = tmp_path / f"t.{ending}"
    if ending == "images":
        hugging_face(tmp_path / "t.parquet", list("ab") * 30)
        table = pq.read_table(tmp_path / "t.parquet").append_column("group", [patients])
        pq.write_table(table, file := tmp_path / "t.parquet")
    else:
        frame.to_csv(file, index=False) if ending == "csv" else frame.to_parquet(file)
    found = _splits_of_groups(plan_ingest(str(file)))
    assert sorted(found, key=int) == [str(number) for number in range(20)]
    assert all(len(splits) == 1 for splits in found.values())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(-1, 3)), min_size=1, max_size=80))
def test_whole_groups_move_and_no_class_loses_train(rows):
    groups, labels = (np.array(column) for column in zip(*rows, strict=True))
    names, splits = np.array([f"g{group}" for group in groups]), np.full(len(rows), "train", dtype="<U5")
    carved = carve_groups(names, labels, splits, FRACTIONS)
    assert all(len(set(carved[groups == group])) == 1 for group in np.unique(groups))
    order = np.random.default_rng(0).permutation(len(rows))
    assert np.array_equal(carve_groups(names[order], labels[order], splits, FRACTIONS), carved[order])
    for label in set(labels.tolist()) - {-1}:
        assert "train" in carved[labels == label]


def test_groups_that_each_have_one_class_fill_all_splits():
    labels = np.repeat(np.arange(5), 12)
    groups = np.array([f"{label}-{n // 4}" for n, label in enumerate(labels)])  # 3 groups of 4 for each class
    carved = carve_groups(groups, labels, np.full(60, "train", dtype="<U5"), FRACTIONS)
    assert {
        (split, label): int(((carved == split) & (labels == label)).sum()) for split in FRACTIONS for label in range(5)
    } == {(split, label): 4 for split in FRACTIONS for label in range(5)}


def test_a_class_of_two_groups_is_told_what_it_needs(tmp_path):
    with pytest.raises(DataError) as error:
        plan_ingest(str(_clips(tmp_path, num_clips=2)), IngestOptions(group=r"clip(\d+)"))
    assert str(error.value).splitlines()[0] == (
        f"{tmp_path}: test: must have images of all 2 classes, but got 2 missing: a, b. Classes must be the same in "
        "train, val and test; a class whose splits are carved needs images of 3 groups."
    )


def test_splits_of_the_source_that_tear_a_group_apart_are_refused_or_mended(tmp_path):
    rows = [(f"{n}.png", "ab"[n % 2], split, f"p{n // 4}") for n, split in enumerate(["train"] * 13 + ["test"] * 7)]
    pd.DataFrame(rows, columns=["path", "label", "split", "group"]).to_csv(tmp_path / "t.csv", index=False)
    source = str(tmp_path / "t.csv")
    with pytest.raises(DataError) as error:
        plan_ingest(source)
    assert str(error.value) == (
        f"{source}: must have each group in one split, but got 1 in several (first: p3 in train and test). "
        "Leave out the splits to have them made by group; or drop_leaks leaves such images out of train."
    )
    plan = plan_ingest(source, IngestOptions(drop_leaks=True))
    assert len(plan.listing) == 19
    assert list(map(str, plan.notes)) == [
        "training images whose group is in val or test, left out: 1 (first: 12.png)",
        "groups of images, each in one split: 5 (first: p0)",
    ]
    assert _splits_of_groups(plan)["p3"] == {"test"}


def test_a_pattern_that_finds_no_group_is_refused(tmp_path):
    source = _clips(tmp_path)
    for pattern, message in (
        (
            r"scene(\d+)",
            f"must match paths of images of {source}, but got 'scene(\\\\d+)', which is in none of 80. "
            "The first is a/clip0_000.png.",
        ),
        (
            "(",
            "must be a regular expression, but got '(' (missing ), unterminated subpattern at position 0). "
            r"For example clip(\d+): what it captures names the group.",
        ),
    ):
        with pytest.raises(DataError) as error:
            plan_ingest(str(source), IngestOptions(group=pattern))
        assert str(error.value) == f"ingest.group: {message}"


def test_images_without_a_group_are_told(tmp_path):
    source = write_files(_clips(tmp_path), {"a/lone.png": image(900), "b/lone.png": image(901)})
    plan = plan_ingest(str(source), IngestOptions(group=r"clip(\d+)"))
    assert list(map(str, plan.notes)) == [
        "groups of images, each in one split: 20 (first: 0)",
        "images without a group, each taken for one of its own: 2 (first: a/lone.png)",
    ]


def test_a_pattern_beside_a_column_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("path,label,group\na.png,a,1\nb.png,b,2\n")
    with pytest.raises(DataError) as error:
        plan_ingest(f"{tmp_path}/t.csv", IngestOptions(group="(.)"))
    assert str(error.value) == (
        f"ingest.group: must be left out, as {tmp_path}/t.csv has a column group, but got '(.)'. "
        "Leave it out, or delete the column."
    )


def test_the_study_file_says_the_same():
    tree = {"name": "x", "target": {"data": "d", "ingest": {"group": "clip("}}, "sources": []}
    with pytest.raises(SpecError, match=r"target\.ingest\.group: must be a regular expression \(missing \), "):
        parse_spec(tree)
