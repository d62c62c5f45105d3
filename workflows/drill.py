"""`translearn drill` as a script: a tiny study through every fault, on a simulated cluster of this machine."""

import sys

from translearn.cli import main

if __name__ == "__main__":
    sys.exit(main(["drill", *sys.argv[1:]]))
