"""Build the classic firmware: `python3 build/esp8266.py --help`. The code is build/images/classic_firmware.py."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from build.images.classic_firmware import main

    sys.exit(main())
