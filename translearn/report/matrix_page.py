"""The page of a matrix: a heat map of gains, their table, and the differences between both directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from translearn.report.templates import render_template
from translearn.report.words import duplicates

_DECIDED = ("helped", "hurt")


def render_matrix(name: str, rows: Sequence[dict[str, Any]], asymmetry: Sequence[dict[str, Any]]) -> str:
    """Render a self-contained HTML page.

    Args:
        name: The study's.
        rows: As ``gain_matrix.gain_rows`` gives them, at least one.
        asymmetry: ``gain_matrix.asymmetries``, as dicts.

    Returns:
        The page. All text from users is escaped.
    """
    from translearn.report.plots.matrix_plot import matrix_plot

    return render_template(
        "matrix.html.j2",
        name=name,
        doubts=doubts,
        leak_finding=_leak_finding,
        plot=matrix_plot(rows),
        rows=rows,
        asymmetry=asymmetry,
        counts={
            verdict: sum(row["verdict"] == verdict and not row["is_own_data"] for row in rows) for verdict in _DECIDED
        },
        best=[_best(rows, target) for target in dict.fromkeys(row["target"] for row in rows)],
        read_again={row["target"]: row["test_reads"] for row in rows if row["test_reads"] > 1},
        confidence=1 - 0.05 / rows[0]["num_comparisons"],
    )


def doubts(row: dict[str, Any]) -> str:
    """Return reasons why a row may look better than it is; empty where none is known."""
    leaked = row["num_exact"] or row["num_near"]
    told = [
        "its own data" if row["is_own_data"] else "",
        f"trained on {duplicates(row['num_exact'], row['num_near'])} of test" if leaked else "",
        f"test read {row['test_reads']} times" if row["test_reads"] > 1 else "",
    ]
    return "; ".join(filter(None, told))


def _leak_finding(row: dict[str, Any]) -> str:
    if row["num_exact"] is None:
        return "not checked: the source's data is not at hand"
    found = row["num_exact"] or row["num_near"]
    return duplicates(row["num_exact"], row["num_near"]) if found else "none found"


def _best(rows: Sequence[dict[str, Any]], target: str) -> dict[str, Any]:
    """Return the source with the lowest error on a target, and the number of others within its interval."""
    others = [row for row in rows if row["target"] == target and not row["is_own_data"]]
    own = [row for row in rows if row["target"] == target]
    ranked = sorted(others or own, key=lambda row: row["error"])
    errors = np.array([row["error"] for row in ranked])
    return {**ranked[0], "num_others": int((errors[1:] <= ranked[0]["error_high"]).sum())}
