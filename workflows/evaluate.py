"""`translearn evaluate` as a script: the entry point of `ray job submit ... -- python workflows/evaluate.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
