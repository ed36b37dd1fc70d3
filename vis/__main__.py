"""`python -m vis`, which torchrun needs."""

import sys

from vis.cli import main

if __name__ == "__main__":
    sys.exit(main())
