"""What is put into an outbox is done in order, elsewhere; its failures reach nobody but the warning."""

from __future__ import annotations

import threading

from translearn.cluster.outbox import Outbox, one_line


def flaky(done: list[int], value: int, times: list[int]) -> None:
    if times[0] > 0:
        times[0] -= 1
        raise ConnectionError("nobody there")
    done.append(value)


def test_all_is_done_in_order_and_in_another_thread() -> None:
    done: list[int] = []
    threads: set[threading.Thread] = set()
    outbox = Outbox(lambda why: done.append(-1))
    for value in range(100):
        outbox.put(lambda value=value: (done.append(value), threads.add(threading.current_thread())))
    outbox.close(60)
    assert done == list(range(100))
    assert threading.main_thread() not in threads


def test_what_fails_is_tried_again_before_what_follows() -> None:
    done: list[int] = []
    outbox = Outbox(lambda why: done.append(-1), patience_s=60, pause_s=0)
    outbox.put(lambda times=[3]: flaky(done, 1, times))
    outbox.put(lambda: done.append(2))
    outbox.close(60)
    assert done == [1, 2]


def test_after_patience_all_is_given_up_with_one_warning() -> None:
    done: list[int] = []
    told: list[str] = []
    outbox = Outbox(told.append, patience_s=0, pause_s=0)
    outbox.put(lambda: flaky(done, 1, [1]))
    outbox.put(lambda: done.append(2))
    outbox.close(60)
    outbox.put(lambda: done.append(3))
    assert done == []
    assert told == ["it was tried for 0 s (nobody there)"]


def test_closing_waits_no_longer_than_it_is_told_and_says_so_once() -> None:
    told: list[str] = []
    outbox = Outbox(told.append, patience_s=3600, pause_s=3600)
    tried = threading.Event()

    def fail() -> None:
        tried.set()
        raise ConnectionError("nobody there")

    outbox.put(fail)
    tried.wait(60)
    outbox.close(0.2)
    assert len(told) == 1
    assert told[0].startswith("not all was sent within 0.2 s")


def test_an_error_is_one_short_line() -> None:
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line(ValueError()) == "ValueError"
    assert one_line(ValueError("x" * 300)) == "x" * 200 + "..."
