"""Put the client on its board: `python3 build/deploy.py --help`. The code is build/install/deploy.py."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from build.install.deploy import main
    from build.tools.venv import start_where

    start_where("mpremote")
    sys.exit(main())
