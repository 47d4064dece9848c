"""The build hook that hatchling calls: it adds pb_link, and the other packages below it with rewritten imports."""

import sys
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))  # hatchling runs this file by itself

from build.wheel import contents  # noqa: E402


class WheelHook(BuildHookInterface):
    """The hook, named in pyproject.toml."""

    def initialize(self, version, build_data):
        """See hatchling's documentation of build hooks. Raises: RuntimeError for an editable installation."""
        if version == "editable":
            raise RuntimeError(
                f"pb_link cannot be installed as editable: its folders lie elsewhere in the wheel. Install a copy (pip "
                f"install {ROOT}), or use the checkout as it is, with PYTHONPATH={ROOT}"
            )
        self._folder = tempfile.TemporaryDirectory(prefix="pb_link_wheel_")
        contents.write(ROOT, Path(self._folder.name))
        build_data["force_include"][f"{self._folder.name}/{contents.TOP}"] = contents.TOP

    def finalize(self, version, build_data, artifact_path):
        """Remove what `initialize` made."""
        self._folder.cleanup()
