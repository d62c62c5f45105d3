"""The documents: no placeholder, and the keys that they list are those that are written."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from report_cases import study

from translearn.cluster.scoring import Scored
from translearn.models.network import build
from translearn.models.sources import Source
from translearn.ranking.domains import domain_distances
from translearn.ranking.scoring import StageFeatures, stage_scores
from translearn.study.ranking.rank import ranking_of

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_placeholder_is_left(path: Path) -> None:
    found = re.findall(r"\b(?:MEASURED|TODO|FIXME|TBD|XXX|PLACEHOLDER)\b", path.read_text())
    assert not found


def keys(name: str, heading: str) -> dict[str, str]:
    """The keys of the first table below a heading, each with its row's text."""
    text = (ROOT / "docs" / name).read_text().split(heading, 1)[1]
    table = text[text.index("|---") :].split("\n\n", 1)[0]
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", table, flags=re.M)
    return {key: content for names, content in rows for key in re.findall(r"`(\w+)`", names)}


def test_the_keys_of_an_evaluation_are_those_of_the_document() -> None:
    assert set(keys("evaluation.md", "# evaluation.json")) == set(study().evaluation)


def test_the_keys_of_a_ranking_are_those_of_the_document() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 2
    features = {depth: rng.normal(size=(20, 3)) for depth in (1, 2)}
    scores = tuple(stage_scores(StageFeatures(features, None), labels, seed=0))
    near = domain_distances(features[1], features[2], seed=0)
    scored = {"a": Scored(scores, None, 3, near, 20, 1.0)}
    source = Source("a", "resnet18", "weights", build("resnet18", 2, 0).state_dict())
    ranking = {**ranking_of(scored, {"a": source}, 20), "seconds": 1.0}
    documented = keys("ranking.md", "## ranking.json")
    assert set(documented) == set(ranking)
    (row,) = ranking["sources"]
    told = set(re.findall(r"`(\w+)`", documented["sources"]))
    assert set(row) | set(row["distances"]) <= told
