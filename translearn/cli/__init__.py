"""Every command, defined once: ``translearn <command>`` and ``python workflows/<command>.py`` are the same."""

from translearn.cli.main import main

__all__ = ["main"]
