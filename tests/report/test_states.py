"""The page is made in every state that a study can end in; several states at once, because a page takes a second."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from ranking_cases import ranking
from report_cases import DIGITS, ERRORS, evaluation, study

from translearn.report.page import render
from translearn.study.tables import CURVE_SCHEMA, TRIAL_SCHEMA

_SCRATCH = {"failed": {"status": "failed", "val_error": None, "reason": None}, "stopped": {"status": "stopped"}}
#: By name: the sources that were ranked, the number of them with trials, the status of scratch's trials, and the rest.
STATES: dict[str, tuple[list[str], int, str, dict[str, Any]]] = {
    "a source dropped, one seed, classes without test images": (
        ["glyphs", "textures", "emoji"],
        2,
        "stopped",
        {"num_seeds": 1, "num_present": 7},
    ),
    "all sources but one dropped, scratch failed, two classes, no mistake": (
        ["glyphs", "textures"],
        1,
        "failed",
        {"classes": ["a", "b"], "errors": dict.fromkeys(ERRORS, 0.0)},
    ),
    "no ranked source with trials, two seeds, one class with test images, only mistakes": (
        ["glyphs", "textures"],
        0,
        "failed",
        {"num_present": 1, "num_seeds": 2, "errors": dict.fromkeys(ERRORS, 1.0)},
    ),
    "one source, the probe's refits failed, four test images": (
        ["glyphs"],
        1,
        "stopped",
        {"num": 4, "errors": {role: ERRORS[role] for role in ("transfer", "scratch")}},
    ),
    "one source, no refit of scratch came to its end": (["glyphs"], 1, "failed", {"errors": {"transfer": 0.2}}),
    "one source, no refit with transfer came to its end": (["glyphs"], 1, "stopped", {"errors": {"scratch": 0.2}}),
}


def page(state: str) -> str:
    names, num_tried, status, rest = STATES[state]
    rest = {"classes": DIGITS, "errors": ERRORS, "num": 60, **rest}
    record = study(rest["classes"], evaluation=evaluation(np.random.default_rng(1), **rest))
    record.evaluation["ranking"] = ranking(tuple(names), num_tried)
    trials = record.trials.to_pylist()[:12]
    trials = [{**row, **(_SCRATCH[status] if row["source"] == "scratch" else {})} for row in trials]
    left = {*(row["trial_id"] for row in trials), *(f"{role}-0-0" for role in rest["errors"])}
    curves = [row for row in record.curves.to_pylist() if row["run"] in left]
    tables = {
        "trials": pa.Table.from_pylist(trials, TRIAL_SCHEMA),
        "curves": pa.Table.from_pylist(curves, CURVE_SCHEMA),
    }
    return render(study(rest["classes"], **{**vars(record), **tables}))


@pytest.mark.parametrize("state", STATES)
def test_the_page_is_made_in_every_state(state: str) -> None:
    html = page(state)
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]+>", " ", html, flags=re.DOTALL)
    assert "Repeat it" in text
    assert not re.findall(r"\bNone\b|\bnan\b|\binf\b|Undefined", text)
    if "emoji" in STATES[state][0]:
        row = re.search(r"<tr><td>emoji</td>.*?</tr>", html, re.DOTALL)
        assert row
        assert '<td class="n">–</td>\n<td class="n">0</td>' in row[0]
