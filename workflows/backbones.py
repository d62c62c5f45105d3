"""`translearn backbones` as a script: the entry point of `ray job submit ... -- python workflows/backbones.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["backbones", *sys.argv[1:]]))
