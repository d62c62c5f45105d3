"""Any valid study file ends with a report, or with a fault that says what to do."""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from translearn.cli import main
from translearn.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_FAILED

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(7200)]

_FAULT = re.compile(r"^error: \S.*: .*\.$", re.MULTILINE)
NUM = int(os.environ.get("TRANSLEARN_STUDIES", "15"))
_OUTCOMES: list[str] = []


@st.composite
def sources(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One to three sources, each pre-trained for an epoch."""
    data = st.sampled_from(["procedural:glyphs?num=100", "procedural:textures?num=100"])
    pretrain = st.fixed_dictionaries({"data": data, "epochs": st.just(1), "lr": st.sampled_from([0.01, 0.1])})
    archs = st.sampled_from(["resnet18", "mobilenet_v2"])  # VGG takes minutes
    return [
        {"name": f"s{index}", "arch": draw(archs), "pretrain": draw(pretrain)}
        for index in range(draw(st.integers(1, 3)))
    ]


@st.composite
def studies(draw: st.DrawFn) -> dict[str, Any]:
    """Valid study files without a place to store them; ``_classes``: images of each class in train, val and test."""
    given, counts = draw(sources()), st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 3))
    archs = {source["arch"] for source in given}
    search = {
        "trials": st.integers(len(given) + len(archs), 7),
        "epochs": st.integers(1, 2),
        "lr": st.sampled_from([[1e-3, 1e-1], [1e-2, 1e-2], [1e6, 1e9]]),  # the last diverges
        "sampler": st.sampled_from(["optuna", "random"]),
        "scheduler": st.sampled_from(["asha", "hyperband", "median", "none"]),
        "prior": st.sampled_from(["auto", "off"]),
        "freeze_depth": st.sampled_from([None, [0], [0, 2], [5]]),
    }
    refit = {
        "candidates": st.integers(1, 2),
        "seeds": st.integers(1, 2),
        "epochs": st.integers(1, 2),
        "label_fractions": st.sampled_from([[], [0.5]]),
        "forgetting": st.booleans(),
        "baseline_cap": st.integers(1, 2),
    }
    # Two values a channel at the end of a network make half of all studies diverge before their search.
    train = {"batch_size": st.sampled_from([4, 8]), "optimizer": st.sampled_from(["sgd", "adamw"])}
    return {
        "_classes": draw(st.lists(counts, min_size=2, max_size=4)),
        "target": {"image_size": draw(st.sampled_from([16, 24, 32]))},
        "sources": given,
        "search": draw(st.fixed_dictionaries(search)),
        "train": draw(st.fixed_dictionaries(train)),
        "refit": draw(st.fixed_dictionaries(refit)),
    }


def write_images(root: Path, classes: list[tuple[int, int, int]]) -> None:
    """Noise of so many images a class and split."""
    rng = np.random.default_rng(0)
    for label, counts in enumerate(classes):
        for split, num in zip(("train", "val", "test"), counts, strict=True):
            folder = root / split / f"class{label}"
            folder.mkdir(parents=True)
            for index in range(num):
                pixels = rng.integers(40 * label, 40 * label + 80, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")


@settings(max_examples=NUM, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(tree=studies())
def test_any_study_ends_with_a_report_or_a_clear_fault(
    ray_session: str, tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture[str], tree: dict[str, Any]
) -> None:
    home = tmp_path_factory.mktemp(uuid.uuid4().hex[:8])
    write_images(home / "data", tree["_classes"])
    fields = {key: value for key, value in tree.items() if key != "_classes"}
    whole = {**fields, "name": "any", "storage": str(home), "target": {**tree["target"], "data": str(home / "data")}}
    (home / "any.yaml").write_text(yaml.safe_dump(whole))
    capfd.readouterr()
    code = main(["run", str(home / "any.yaml")])
    out = capfd.readouterr()
    _OUTCOMES.append(out.err.strip().splitlines()[-1] if code else "done")
    if code == EXIT_DONE:
        assert "</html>" in (home / "any" / "report.html").read_text()
        return
    assert code in (EXIT_FAILED, EXIT_BAD_INPUT)
    assert "Traceback" not in out.err, out.err
    assert _FAULT.search(out.err), out.err


def test_most_of_these_studies_are_done() -> None:
    print(*_OUTCOMES, sep="\n")
    assert _OUTCOMES.count("done") > len(_OUTCOMES) / 3
