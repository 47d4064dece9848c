"""Sensor types for boards: `python3 build/sensor_types.py --help`. The code is build/install/sensor_types.py."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from build.install.sensor_types import main

    sys.exit(main())
