"""`translearn ingest` as a script: the entry point of `ray job submit ... -- python workflows/ingest.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest", *sys.argv[1:]]))
