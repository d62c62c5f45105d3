"""The checks before a study, and the sample of a dry run: where they write."""

from __future__ import annotations

from pathlib import Path

import pytest

from translearn.cluster.resources import plan_resources
from translearn.config import ClusterSpec, IngestSpec, StudySpec, parse_spec
from translearn.data.images.placement import Room
from translearn.data.ingest.ingest import IngestOptions, ingest, inspected, plan_ingest
from translearn.storage.folder import Folder
from translearn.study.directory import nearest
from translearn.study.planning import estimate
from translearn.study.planning.dry_run import tiny
from translearn.study.planning.estimate import _images_line
from translearn.study.planning.look import Size, size_of, storage_faults
from translearn.study.planning.plan import _shard_faults

MIXED = ("resnet18", "resnet34", "mobilenet_v2", "vgg11_bn")


def study(storage: Path, **target: str) -> StudySpec:
    source = {"name": "a", "arch": "resnet18", "weights": "DEFAULT"}
    return parse_spec(
        {"name": "pets", "storage": str(storage), "target": {"data": "sklearn:digits", **target}, "sources": [source]}
    )


def test_checking_the_storage_leaves_nothing_and_no_parent(tmp_path: Path) -> None:
    assert storage_faults(study(tmp_path / "a" / "b")) == []
    assert list(tmp_path.iterdir()) == []


def test_storage_below_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (line,) = storage_faults(study(tmp_path / "file" / "runs"))
    assert line.startswith("storage: ")
    assert "cannot be written" in line


def test_the_nearest_place_is_the_storage_itself_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    assert nearest(str(tmp_path / "runs")) == Folder.open(tmp_path / "runs")
    assert nearest(str(tmp_path / "runs" / "a" / "b")) == Folder.open(tmp_path / "runs")


def test_a_sample_lies_in_the_storage_that_all_nodes_reach_under_a_name_of_its_own(tmp_path: Path) -> None:
    spec = study(tmp_path / "runs")
    first, second = (tiny(spec, {"target": Size(10, 100)}) for _ in range(2))
    assert first.storage == str(tmp_path / first.name)
    assert len({spec.name, first.name, second.name}) == 3
    (tmp_path / "runs").mkdir()
    third = tiny(spec, {"target": Size(10, 100)})
    assert third.storage == str(tmp_path / "runs" / third.name)


def test_the_plan_says_the_budget_its_cost_what_is_too_little_and_what_the_space_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "_image_seconds", lambda *_: 0.01)
    monkeypatch.setattr(estimate, "measure_room", lambda: Room(memory=8 * 10**8, disk=10**11))
    resources = plan_resources(ClusterSpec(), [{"CPU": 2.0}])
    spec, sizes = study(tmp_path), {"target": Size(10, num_train=400, num_val=60)}
    lines = estimate.plan_lines(spec, sizes, resources)
    assert lines[2:] == [
        "budget: batches of 50 images, 8 steps an epoch, 504 a trial, 504 a refit; 500 are enough for so many images",
        "search: 32 trials of at most 63 epochs of 8 steps, 2 at once, 1 worker of 1 CPU a trial: at most 71 min",
        "space: each source at each freeze depth and scratch at 3 learning rates need 9 trials; search.trials is 32",
        "baseline: scratch has 16 of the trials (at most 35 min) and up to 6 of the refits",
        "asha: the best 1/3 go on after 3, 9, 27 epochs",
        "refit: up to 15 runs of 63 epochs, 2 at once, 1 worker of 1 CPU each: at most 35 min",
        "scratch at convergence: 3 runs of 126, then 315 epochs if more help: at most 62 min",
    ]
    mixed = spec.model_copy(
        update={"sources": tuple(spec.sources[0].model_copy(update={"arch": arch}) for arch in MIXED)}
    )
    assert estimate.plan_lines(mixed, sizes, resources)[5] == (
        "baseline: scratch of the best trials' architectures (2 of 4 at most), after the others, has 10 of the trials "
        "(at most 22 min) and up to 12 of the refits"
    )
    few = spec.model_copy(update={"search": spec.search.model_copy(update={"epochs": 2})})
    assert estimate.plan_lines(few, sizes, resources)[3].startswith(
        "warning: search.epochs: 2 epochs are 16 steps, few"
    )


def test_the_plan_says_where_images_live_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "measure_room", lambda: Room(memory=8 * 10**8, disk=10**11))
    wanted = {images: study(tmp_path, images=images) for images in ("auto", "stream")}
    size = Size(10, num_train=2000, num_val=500)
    assert _images_line(wanted["auto"], size) == "images: 376.3 MB decoded, in memory (object store holds 800.0 MB)"
    assert _images_line(wanted["stream"], size).endswith("decoded at each reading (as target.images says)")


def test_images_are_counted_by_split_within_their_limits() -> None:
    ingest = IngestSpec(split=(0.5, 0.25, 0.25), limit_per_class=30)
    assert size_of("sklearn:digits", ingest, per_class=20) == Size(10, num_train=200, num_val=300, num_test=300)


def test_a_shard_that_was_cut_off_is_told_of_before_anything_starts(tmp_path: Path) -> None:
    spec = study(tmp_path / "runs")
    own = Folder.open(tmp_path / "runs") / "pets" / "data" / "target"
    options = IngestOptions(split=(0.7, 0.15, 0.15), limit_per_class=10)
    plan_of_digits = plan_ingest("sklearn:digits", options)
    ingest(plan_of_digits, own, inspected(plan_of_digits))
    assert _shard_faults(spec) == []
    file = Path(own.path) / "test-00000.parquet"
    file.write_bytes(file.read_bytes()[:-10])
    (line,) = _shard_faults(spec)
    assert line.startswith(f"{file}: must be a Parquet file of ")
