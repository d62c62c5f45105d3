"""`translearn pretrain` as a script: the entry point of `ray job submit ... -- python workflows/pretrain.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["pretrain", *sys.argv[1:]]))
