"""`translearn matrix` as a script: the entry point of `ray job submit ... -- python workflows/matrix.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["matrix", *sys.argv[1:]]))
