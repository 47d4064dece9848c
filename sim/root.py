"""The folder of the packages that boards run, and the command of this one: in the checkout, or from the wheel."""

from importlib.util import find_spec
from pathlib import Path

ROOT = Path(find_spec("pb_link").origin).resolve().parent.parent
SIM = Path(__file__).resolve().parent
COMMAND = f"python3 -m {__package__}"  # an installed wheel has the package below pb_link
INSTALLED = __package__ != "sim"
# What boards have on their path. From the wheel, programs for boards find `protocol` and others below pb_link.
ON_BOARDS = (ROOT, ROOT / "pb_link") if INSTALLED else (ROOT,)
