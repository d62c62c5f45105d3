"""Entry of Ray's processes. Heavy modules are imported only in the process that does the work.

Ray Train's controller imports the module of the train loop too; without this it would load all of torchvision.
"""

from __future__ import annotations

from typing import Any

import ray


def train_loop(config: dict[str, Any]) -> None:
    """Run the train loop of a worker; ``orders`` holds a reference to a ``worker.Orders``, in a tuple."""
    from translearn.cluster.training.worker import work

    work(ray.get(config["orders"][0]))
