"""`translearn serve` as a script: the entry point of `ray job submit ... -- python workflows/serve.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
