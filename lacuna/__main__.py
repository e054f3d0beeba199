"""`python -m lacuna`: see lacuna/cli.py."""

import sys

from lacuna.cli import main

if __name__ == "__main__":
    sys.exit(main())
