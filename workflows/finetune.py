"""`translearn finetune` as a script: the entry point of `ray job submit ... -- python workflows/finetune.py`."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["finetune", *sys.argv[1:]]))
