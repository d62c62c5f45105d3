"""What a study's first task needs, imported while its study is still being checked."""

from __future__ import annotations

import importlib
import threading

import ray


def import_ahead() -> None:
    """Let a worker import torch and torchvision, which takes seconds.

    Ray gives a task to the worker that was idle last. So this one returns at once, and the tasks that follow one by one
    (images are decoded, sources ranked) find what it began. Where another worker gets them, they import it themselves.
    """
    ray.remote(num_cpus=0)(_begin).remote()


def _begin() -> None:
    importlib.import_module("scipy.linalg")  # in the task, whose number of threads BLAS keeps: results depend on it
    threading.Thread(target=importlib.import_module, args=("torchvision",), daemon=True).start()
