"""``python -m translearn.cli``."""

import sys

from translearn.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
