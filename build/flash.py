"""Make an ESP8266 a bridge: `python3 build/flash.py --help`. The code is build/install/flash.py."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from build.install.flash import main
    from build.tools.venv import start_where

    start_where("esptool.cmds")
    sys.exit(main())
