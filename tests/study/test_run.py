"""The end of a study: what is told where its page cannot be made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pyarrow as pa
import pytest
from report_cases import cost

from translearn.cluster.resources import Resources
from translearn.config import parse_spec
from translearn.errors import TranslearnError
from translearn.storage.folder import Folder
from translearn.study import directory, run
from translearn.study.opening import Study

COST = (
    "resnet18, 11.2 million parameters, 44.8 MB; 7.12 ms an image alone and 281 images/s in batches on one thread of "
    "Some CPU"
)


def test_a_page_that_can_not_be_made_does_not_take_the_figures_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> str:
        raise LookupError("no first item\nof a list")

    said: list[str] = []
    tracked: list[dict[str, str]] = []
    folder, source = Folder.open(tmp_path), {"name": "imagenet", "arch": "resnet18", "weights": "DEFAULT"}
    spec = parse_spec({"name": "pets", "target": {"data": "x"}, "sources": [source]})
    for name in (directory.PROVENANCE, directory.EVALUATION, directory.SPEC):
        folder.write_json(name, {})
    for name in (directory.SOURCES, directory.COSTS, directory.TRIALS, directory.CURVES, directory.MISTAKES):
        folder.write_table(name, pa.table({}))
    monkeypatch.setattr(run, "_evaluated", lambda _: {"summary": ["The verdict."], "cost": cost()})
    monkeypatch.setattr(run, "_manifests", lambda _: {})
    monkeypatch.setattr(run, "say", said.append)
    monkeypatch.setattr(run, "track_result", lambda _, __, places: tracked.append(places))
    monkeypatch.setattr(run, "render", broken)
    with pytest.raises(TranslearnError) as caught:
        run.run_study(Study(spec, folder, cast(Resources, None)))
    model = str(tmp_path / "model")
    assert (said, tracked) == ([f"model:  {model}", f"cost:   {COST}", "The verdict."], [{"model": model}])
    assert re.fullmatch(
        rf"{tmp_path}/report.html: cannot be made, because of LookupError: no first item of a list "
        r"\(test_run.py, line \d+\). The study is done: its figures are in evaluation.json, its model in model/. "
        "This is a fault of translearn: please report it.",
        str(caught.value),
    )
