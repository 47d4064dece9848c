"""Find or build a MicroPython: `python3 build/micropython.py --help`. The code is build/tools/micropython.py."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from build.tools.micropython import main

    sys.exit(main())
