"""Calls in the background: in order, until one fails."""

from __future__ import annotations

import threading

from translearn.cluster.tracking.background import Background


def test_calls_are_made_in_order_and_waited_for() -> None:
    made, warnings = list[int](), list[str]()
    background = Background(warnings.append)
    for number in range(20):
        background.submit(lambda number=number: made.append(number))
    background.close(60)
    assert (made, warnings) == (list(range(20)), [])


def test_the_first_failure_is_told_once_and_ends_the_calls() -> None:
    made, warnings = list[int](), list[str]()
    background = Background(warnings.append)
    for number in (1, 0, 2, 0):
        background.submit(lambda number=number: made.append(1 // number))
    background.close(60)
    background.submit(lambda: made.append(7))
    assert (made, warnings) == ([1], ["integer division or modulo by zero"])


def test_calls_that_take_too_long_are_given_up() -> None:
    made, warnings, go_on = list[int](), list[str](), threading.Event()
    background = Background(warnings.append)
    background.submit(go_on.wait)
    background.submit(lambda: made.append(1))
    background.close(0.01)
    go_on.set()
    background.close(60)
    assert (made, warnings) == ([], ["not everything was sent within 0.01 s"])
