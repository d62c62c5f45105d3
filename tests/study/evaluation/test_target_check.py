"""The check of the target's own images: what is told before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from translearn.config import StudySpec, parse_spec
from translearn.data.dataset import Dataset
from translearn.data.images.decode import decode_image
from translearn.data.images.pixels import encode_png
from translearn.data.ingest.checks.mirrored import Mirrored, mirrored_classes
from translearn.data.ingest.checks.near_duplicates import SIZE, prints
from translearn.data.ingest.ingest import ingest, inspected, plan_ingest
from translearn.storage.folder import Folder
from translearn.study.datasets.names import ingest_options
from translearn.study.directory import TARGET_CHECK
from translearn.study.evaluation import target_check
from translearn.study.evaluation.target_check import check_target


def _picture(seed: int, brighter: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 240, (6, 6, 3)).astype(np.uint8) + np.uint8(brighter)
    return Image.fromarray(noise).resize((40, 40), Image.Resampling.BICUBIC)


def _arrow(seed: int, right: bool) -> Image.Image:
    """A wedge that points to a side, at a place and of a size that depend on the seed."""
    numbers = np.random.default_rng(seed)
    height, width = numbers.integers(4, 13), numbers.integers(18, 30)
    y, x = np.mgrid[:40, :40]
    x0, y0 = numbers.integers(4, 10), numbers.integers(16, 24)
    wedge = (x >= x0) & (x < x0 + width) & (abs(y - y0) * width < height * (width - (x - x0)))
    pixels = np.where(wedge, 230, 30).astype(np.uint8)
    return Image.fromarray(np.stack([pixels if right else pixels[:, ::-1]] * 3, axis=2))


def _folder(root: Path, images: dict[str, Image.Image]) -> Path:
    for name, image in images.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(root / name)
    return root


def _split_images(num: dict[str, int]) -> dict[str, Image.Image]:
    names = [f"{split}/{c}/{n}.png" for split, most in num.items() for c in "ab" for n in range(most)]
    return {name: _picture(seed) for seed, name in enumerate(names)}


def _study(folder: Path, data: Path, **train: Any) -> tuple[StudySpec, Dataset]:
    source = {"name": "imagenet", "arch": "resnet18", "weights": "IMAGENET1K_V1"}
    spec = parse_spec({"name": "x", "target": {"data": str(data)}, "sources": [source], "train": train})
    plan = plan_ingest(str(data), ingest_options(spec.target.ingest))
    return spec, ingest(plan, Folder.open(folder / "copy"), inspected(plan))


_NUM = {"train": 4, "val": 3, "test": 6}


def test_a_clean_target_has_no_warnings(tmp_path: Path) -> None:
    spec, dataset = _study(tmp_path, _folder(tmp_path / "in", _split_images(_NUM)))
    found = check_target(spec, Folder.open(tmp_path / "study"), dataset)
    assert [(row["split"], row["num"], row["num_exact"], row["num_near"]) for row in found["leaks"]] == [
        ("test", 12, 0, 0),
        ("val", 6, 0, 0),
    ]
    assert (found["warnings"], found["mirrored"], found["num_conflicts"]) == ([], [], 0)
    assert check_target(spec, Folder.open(tmp_path / "study"), dataset) == found
    assert (tmp_path / "study" / TARGET_CHECK).exists()


def test_exact_and_near_duplicates_are_warned_of_with_the_flag_that_removes_them(tmp_path: Path) -> None:
    images = _split_images(_NUM)
    images |= {"train/a/copy.png": images["test/b/2.png"], "train/b/frame.png": _picture(14 + 1, brighter=9)}
    spec, dataset = _study(tmp_path, _folder(tmp_path / "in", images))
    found = check_target(spec, Folder.open(tmp_path / "study"), dataset)
    place = f"{tmp_path}/copy/conflicts.parquet"
    assert found["warnings"] == [
        "of the target's 12 test images 1 exact and 1 near duplicate are among its own training images, "
        "2 of them under another label (first: test/b/2.png is train/a/copy.png): the error may be too low. "
        "target.ingest.drop_leaks: true, in a study of another name, leaves them out of train.",
        f"1 picture is there under several labels: mend those that {place} lists.",
    ]
    assert [pair["kind"] for pair in found["leaks"][0]["pairs"]] == ["exact", "near"]
    dropping = spec.target.ingest.model_copy(update={"drop_leaks": True})
    mended = spec.model_copy(update={"target": spec.target.model_copy(update={"ingest": dropping})})
    plan = plan_ingest(spec.target.data, ingest_options(mended.target.ingest))
    clean = ingest(plan, Folder.open(tmp_path / "mended"), inspected(plan))
    assert check_target(mended, Folder.open(tmp_path / "again"), clean)["warnings"] == []


def test_few_near_duplicates_are_counted_without_a_warning() -> None:
    row = {"split": "test", "num": 1000, "num_exact": 0, "num_near": 19, "num_other_label": 0, "pairs": []}
    assert target_check.leak_warnings(row, "") == []


def test_an_ingested_target_is_to_be_ingested_anew(tmp_path: Path) -> None:
    images = _split_images(_NUM)
    images["train/a/copy.png"] = images["val/a/0.png"]
    _, dataset = _study(tmp_path, _folder(tmp_path / "in", images))
    spec, _ = _study(tmp_path / "b", Path(dataset.folder.path))
    [line] = check_target(spec, Folder.open(tmp_path / "study"), dataset)["warnings"]
    assert line == (
        "of the target's 6 validation images 1 exact and 0 near duplicates are among its own training images "
        "(first: val/a/0.png is train/a/copy.png): the choice by validation may be wrong. "
        "Ingest it into another folder with --drop-leaks, which leaves them out of train."
    )


def _copies(images: list[Image.Image]) -> np.ndarray:
    return prints([np.stack([decode_image(encode_png(image), SIZE) for image in images])]).copies


def test_left_and_right_are_found_to_mirror_each_other() -> None:
    images = [_arrow(seed, right=bool(seed % 2)) for seed in range(40)]
    found = mirrored_classes(_copies(images), np.arange(40) % 2)
    assert [(row.label, row.other, row.num) for row in found] == [(0, 1, 20), (1, 0, 20)]
    assert all(row.mirrored > 0.9 and row.as_they_are < 0.2 for row in found)


@pytest.mark.parametrize("symmetrical", [True, False])
def test_other_classes_are_not(symmetrical: bool) -> None:
    images = [_picture(seed) for seed in range(60)]
    if symmetrical:
        images = [Image.blend(image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 0.5) for image in images]
    assert mirrored_classes(_copies(images), np.arange(60) % 2) == []


def test_mirroring_is_warned_of_where_the_study_mirrors(tmp_path: Path) -> None:
    images = {
        f"{split}/{side}/{n}.png": _arrow(100 * k + n, side == "right")
        for k, (split, num) in enumerate({"train": 12, "val": 2, "test": 2}.items())
        for side in ("left", "right")
        for n in range(num)
    }
    spec, dataset = _study(tmp_path, _folder(tmp_path / "in", images))
    found = check_target(spec, Folder.open(tmp_path / "study"), dataset)
    [line] = [line for line in found["warnings"] if "mirrors" in line]
    assert line.startswith("train.augment: flip_crop mirrors training images, but those of left then look like right (")
    assert line.endswith("). Set it to crop.")
    still = spec.model_copy(update={"train": spec.train.model_copy(update={"augment": "crop"})})
    assert check_target(still, Folder.open(tmp_path / "crop"), dataset)["mirrored"] == []


def test_the_words_of_a_mirrored_class() -> None:
    line = target_check.mirror_warning(Mirrored(0, 1, 20, 0.95, 0.05), ["left", "right"], "resized_crop")
    assert line == (
        "train.augment: resized_crop mirrors training images, but those of left then look like right "
        "(95 % of 20; as they are 5 %). Set it to crop."
    )
