"""`translearn run` as a script: the entry point of `ray job submit ... -- python workflows/run.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
