"""`translearn export` as a script: the entry point of `ray job submit ... -- python workflows/export.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
