"""Times as people write them on a command line."""

from __future__ import annotations

import math
import re

from translearn.errors import InputError, fault

_TIME = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_EXAMPLES = "such as 30m, 2h, 90s or 1h30m"


def seconds_of(text: str, where: str) -> int:
    """Return the seconds of a time such as ``1h30m``.

    Args:
        text: Hours, minutes and seconds, each a whole number with its unit; parts may be left out.
        where: The option it was given for.

    Raises:
        InputError: It is of another form, or 0.
    """
    found = _TIME.fullmatch(text.strip())
    seconds = (
        sum(int(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True)) if found else 0
    )
    if seconds:
        return seconds
    remedy = "A number needs its unit." if text.strip().isdecimal() else "Write it so."
    raise InputError(fault(where, f"must be a time above 0, {_EXAMPLES}", repr(text), remedy))


def as_option(seconds: float) -> str:
    """Return a time as ``seconds_of`` takes it, rounded up: to minutes from two minutes on.

    >>> as_option(61), as_option(121), as_option(5400)
    ('61s', '3m', '1h30m')
    """
    if seconds <= 120:
        return f"{math.ceil(seconds)}s"
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")


def in_words(seconds: float) -> str:
    """Return about how long a time is, for people.

    >>> in_words(0.2), in_words(89), in_words(600), in_words(9000)
    ('1 s', '89 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
