"""`python -m lacuna`: see lacuna/cli.py."""

import sys

from lacuna.cli import main

sys.exit(main())
