"""`translearn submit` as a script: a study as a job of a Ray cluster, watched from here."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["submit", *sys.argv[1:]]))
