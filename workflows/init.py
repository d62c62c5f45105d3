"""`translearn init` as a script: the entry point of `ray job submit ... -- python workflows/init.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["init", *sys.argv[1:]]))
