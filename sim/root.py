"""Where the packages that boards run are found: the checkout, or where the wheel is installed."""

from importlib.util import find_spec
from pathlib import Path

ROOT = Path(find_spec("pb_link").origin).resolve().parent.parent
