"""``python -m translearn.drill.victim SNARE run STUDY.yaml ...``: the command, with a trap in all its processes."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from translearn.cluster.simulated import hook_workers
from translearn.drill.hook import install, setup_hook
from translearn.drill.trap import Snare


def main() -> None:
    """Sets the trap, and runs the command line."""
    snare = Snare.read(Path(sys.argv[1]))
    hook_workers(setup_hook(snare))
    install(snare)
    sys.argv = ["translearn", *sys.argv[2:]]
    runpy.run_module("translearn.cli", run_name="__main__")


if __name__ == "__main__":
    main()
