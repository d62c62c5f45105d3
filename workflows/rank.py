"""`translearn rank` as a script: the entry point of `ray job submit ... -- python workflows/rank.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["rank", *sys.argv[1:]]))
