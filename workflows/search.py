"""`translearn search` as a script: the entry point of `ray job submit ... -- python workflows/search.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["search", *sys.argv[1:]]))
