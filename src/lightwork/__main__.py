"""``python -m lightwork``: the same as the command ``lightwork``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
