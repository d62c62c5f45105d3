"""The command line: which commands there are, and how each ends."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Sequence

from translearn import __version__
from translearn.cli import backbones, export, ingest, init, predict, serve, study, submit
from translearn.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_FAILED, InputError, TranslearnError
from translearn.machine import end_quickly
from translearn.storage.uris import masked


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0 when it is done, 1 when it failed, 2 when its input is bad."""
    end_quickly()
    options = parser().parse_args(arguments)
    try:
        result = options.do(options)
    except TranslearnError as error:
        return _failed(options, str(error), EXIT_BAD_INPUT if isinstance(error, InputError) else EXIT_FAILED)
    except Exception as error:  # a fault of ours or of Ray's: all of it is shown, and a script gets its line
        traceback.print_exc()
        return _failed(options, f"{type(error).__name__}: {error}", EXIT_FAILED)
    except KeyboardInterrupt:
        return _failed(options, "interrupted. Run the same command again to go on.", EXIT_FAILED)
    if isinstance(result, int):  # it has told its result already
        return result
    if options.json:
        print(json.dumps({"command": options.command, "status": "done", **result}))
    return EXIT_DONE


def _failed(options: argparse.Namespace, message: str, code: int) -> int:
    message = masked(message)  # an address that was mistyped may hold a password
    print(f"error: {message}", file=sys.stderr)
    if options.json:
        faults = message.splitlines()
        status = "bad input" if code == EXIT_BAD_INPUT else "failed"
        print(json.dumps({"command": options.command, "status": status, "faults": faults}))
    return code


def parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    whole = argparse.ArgumentParser(prog="translearn", description=sys.modules["translearn"].__doc__)
    whole.add_argument("--version", action="version", version=f"translearn {__version__}")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (init, backbones, ingest, study, submit, predict, export, serve):
        command.add(commands)
    return whole
