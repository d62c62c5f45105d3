"""`translearn report` as a script: the entry point of `ray job submit ... -- python workflows/report.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["report", *sys.argv[1:]]))
