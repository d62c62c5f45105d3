"""Words of the report, and formats of its numbers; None is a dash."""

from __future__ import annotations

from typing import Any

DASH = "–"
_HEADINGS = {
    "helped": "Transfer helped",
    "hurt": "Transfer hurt",
    "saves training, not error": "Transfer saves training, not error",
}


def role(name: str) -> str:
    """Return the words for a role of the evaluation."""
    return {"probe": "linear probe", "converged": "scratch with more steps"}.get(name, name)


def heading_and_lead(verdict: dict[str, Any]) -> tuple[str, str]:
    """Return a heading for a verdict, and its sentence without the words that the heading has."""
    heading = _HEADINGS.get(verdict["verdict"], str(verdict["verdict"]).capitalize())
    lead = str(verdict["sentence"]).removeprefix(f"{heading}: ")
    return heading, lead[0].upper() + lead[1:]


def percent(value: float | None) -> str:
    """Format a fraction as percent: ``0.123`` is ``12.3 %``."""
    return DASH if value is None else f"{100 * value:.1f} %"


def points(value: float | None) -> str:
    """Format a difference of fractions in percentage points, with its sign: ``0.123`` is ``+12.3``."""
    # Adding 0 makes a positive zero of a negative one.
    return DASH if value is None else f"{round(100 * value, 1) + 0.0:+.1f}"


def percent_interval(ends: dict[str, Any]) -> str:
    """Format the ``low`` and ``high`` of a dict as percent: ``10.1 to 14.9 %``."""
    if ends["low"] is None or ends["high"] is None:
        return DASH
    return f"{100 * ends['low']:.1f} to {100 * ends['high']:.1f} %"


def points_interval(ends: dict[str, Any]) -> str:
    """Format the ``low`` and ``high`` of a dict as signed percentage points: ``-1.0 to +3.2``."""
    if ends["low"] is None or ends["high"] is None:
        return DASH
    return f"{points(ends['low'])} to {points(ends['high'])}"


def number(value: Any) -> str:
    """Format a number with three significant digits and thousands separators; leave other values as they are."""
    if value is None:
        return DASH
    if isinstance(value, float):
        value += 0.0
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def cost_words(cost: dict[str, Any]) -> str:
    """Return the size and the speed of a network in words, with what the speed was measured on."""
    speeds = [
        f"{number(cost[f'{unit}_latency_ms'])} ms an image alone and "
        f"{number(cost[f'{unit}_images_per_s'])} images/s in batches on {where}{cost[unit]}"
        for unit, where in (("cpu", "one thread of "), ("gpu", ""))
        if cost[unit]
    ]
    size = f"{cost['arch']}, {number(cost['num_parameters'] / 1e6)} million parameters, {number(cost['mb'])} MB"
    return "; ".join([size, *speeds])


def duration(seconds: float | None) -> str:
    """Format seconds: ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds is None:
        return DASH
    seconds = max(seconds, 0.0)
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def chance(p: float | None) -> str:
    """Format a p-value: two digits, or ``< 0.0001``."""
    return DASH if p is None else "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def labels(worth: dict[str, Any]) -> str:
    """Format a worth in labels: ``about 120 (90 to 160)``, ``at most 20``, ``more than 320``."""
    num = f"{worth['labels']:,.0f}"
    if worth["bound"]:
        return f"{worth['bound']} {num}"
    return f"about {num}" + (f" ({worth['low']:,.0f} to {worth['high']:,.0f})" if worth["low"] is not None else "")


def duplicates(num_exact: int, num_near: int) -> str:
    """Format the numbers of exact and of further near duplicates: ``1 exact and 0 near duplicates``."""
    return f"{num_exact:,} exact and {num_near:,} near duplicate{'' if num_near == 1 else 's'}"


def sentence(line: str) -> str:
    """Return a line with a capital at its beginning, but for the name of a field, as in ``refit.epochs: ...``."""
    return line[:1].upper() + line[1:] if line.partition(" ")[0].isalpha() else line


FILTERS = {
    "sentence": sentence,
    "role": role,
    "duplicates": duplicates,
    "chance": chance,
    "labels": labels,
    "percent": percent,
    "points": points,
    "percent_interval": percent_interval,
    "points_interval": points_interval,
    "number": number,
    "duration": duration,
    "cost": cost_words,
}
