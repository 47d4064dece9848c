"""The folder of the packages that boards run, and the command of this one: in the checkout, or from the wheel."""

from importlib.util import find_spec
from pathlib import Path

ROOT = Path(find_spec("pb_link").origin).resolve().parent.parent
COMMAND = f"python3 -m {__package__}"  # an installed wheel has the package below pb_link
