"""Training in a thread: its failures come back, and Ctrl-C stays with this process. No Ray is started."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from translearn.cluster.train import _fit


class Trainer:
    """Stands for Ray's: it does what it is given."""

    def __init__(self, fit: Any) -> None:
        self.fit = fit


def test_a_failure_of_training_comes_back() -> None:
    def fail() -> None:
        raise SystemExit("out of workers")

    with pytest.raises(SystemExit, match="out of workers"):
        _fit(Trainer(fail))


def test_ctrl_c_during_training_is_a_keyboard_interrupt() -> None:
    release = threading.Event()

    def fit() -> None:
        signal.raise_signal(signal.SIGINT)  # Python runs the handler in the main thread, which waits
        release.wait(10)

    with pytest.raises(KeyboardInterrupt):
        _fit(Trainer(fit))
    release.set()


def test_training_runs_outside_the_main_thread_where_ray_train_would_take_ctrl_c_for_good() -> None:
    threads: list[threading.Thread] = []
    _fit(Trainer(lambda: threads.append(threading.current_thread())))
    assert threads[0] is not threading.main_thread()
