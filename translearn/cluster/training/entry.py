"""Where Ray's processes enter. What is heavy is imported only in the process that does the work.

Ray Train's controller imports the module of the train loop too; without this it would load all of torchvision.
"""

from __future__ import annotations

from typing import Any

import ray


def train_loop(config: dict[str, Any]) -> None:
    """The train loop of every worker; ``orders`` holds a reference to a ``worker.Orders``, in a tuple."""
    from translearn.cluster.training.worker import work

    work(ray.get(config["orders"][0]))
