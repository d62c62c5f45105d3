"""`translearn predict` as a script: the entry point of `ray job submit ... -- python workflows/predict.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
