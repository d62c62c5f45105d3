"""A ranking for people: a table, what is recommended, and what was dropped and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

_SHOWN = ("knn", "linear_probe", "logme", "hscore", "leep", "nce")


def ranking_lines(ranking: dict[str, Any], rows: Sequence[dict[str, Any]], width: int | None = None) -> Iterator[str]:
    """Return the lines.

    Args:
        ranking: The content of ``ranking.json``.
        rows: The rows of ``ranking.parquet``.
        width: The columns of a terminal: the table leaves out the last scores that have no room. None for all.
    """
    last = {row["source"]: row["depth"] for row in sorted(rows, key=lambda row: int(row["depth"]))}
    shown = [name for name in _SHOWN if any(r["score"] == name and r["depth"] == last[r["source"]] for r in rows)]
    table = _table(ranking, rows, shown)
    while width and shown and len(table[0]) > width:
        table = _table(ranking, rows, shown := shown[:-1])
    yield from table
    yield (
        f"ranked by {', '.join(ranking['scores'])} at the last stage, on {ranking['num_examples']} of "
        f"{ranking['num_train']} training images, in {ranking['seconds']:.1f} s; ± is half of a 95 % interval"
    )
    for source in ranking["sources"]:
        if distances := source["distances"]:
            yield f"{source['source']}: {_distances(distances)} from its own data to the target's (lower is nearer)"
        if source["is_dropped"]:
            yield f"{source['source']}: dropped from the search: {source['why']}"


def _table(ranking: dict[str, Any], rows: Sequence[dict[str, Any]], shown: Sequence[str]) -> list[str]:
    head = ["source", "mean rank", "freeze depth", *shown, "seconds"]
    return list(_aligned([head, *(_cells(source, shown, rows) for source in ranking["sources"])]))


def _cells(source: dict[str, Any], shown: Sequence[str], rows: Sequence[dict[str, Any]]) -> list[str]:
    own = [row for row in rows if row["source"] == source["source"]]
    last = {row["score"]: row for row in own if row["depth"] == max(one["depth"] for one in own)}
    return [
        source["source"],
        f"{source['mean_rank']:.2f}",
        str(source["freeze_depth"]),
        *(_figure(last[name]) if name in last else "-" for name in shown),
        f"{source['seconds']:.1f}",
    ]


def _figure(row: dict[str, Any]) -> str:
    margin = "" if row["high"] is None else f" ±{row['high'] - row['value']:.2f}"
    return f"{row['value']:.2f}{margin}"


def _distances(found: dict[str, Any]) -> str:
    return f"Frechet distance {_figure(found['frechet'])}, proxy A-distance {_figure(found['proxy_a'])}"


def _aligned(table: list[list[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for first, *others in table:
        cells = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells])
