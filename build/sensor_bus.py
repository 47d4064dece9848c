"""The sensor bus of boards: `python3 build/sensor_bus.py --help`. The code is build/install/sensor_package.py."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from build.install.sensor_package import main

    sys.exit(main())
