"""Build the images that are flashed: `python3 build/firmware.py --help`. The code is build/images/firmware.py."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from build.images.firmware import main

    sys.exit(main())
