"""Words of texts for people."""

from __future__ import annotations


def plural(num: int, noun: str) -> str:
    """Return a number with its noun.

    >>> plural(1, "run"), plural(3, "run")
    ('1 run', '3 runs')
    """
    return f"{num} {noun}{'' if num == 1 else 's'}"
