"""`python -m lacuna`: see lacuna/cli.py."""

import sys

from lacuna.cli import main

if __name__ == "__main__":  # not in the processes of `serve --workers`
    sys.exit(main())
