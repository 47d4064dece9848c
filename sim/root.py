"""Where the packages that boards run are found, and this one: the checkout, or where all of them are installed."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
