"""The client as boards install it: `python3 build/client.py --help`. The code is build/install/client_package.py."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from build.install.client_package import main

    sys.exit(main())
