"""`pb-link`, also `python3 -m server`."""

import sys

from server.service.cli import main

if __name__ == "__main__":
    sys.exit(main())
