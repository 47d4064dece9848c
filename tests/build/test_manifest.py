"""The package of I2C devices carries what is imported, and nothing else."""

import json
import os
import shutil
import subprocess

from protocol.version import RELEASE, release_text
from tests.build.imports import ROOT, imported


def listed():
    """The files of the package i2c_devices.json."""
    package = json.loads((ROOT / "i2c_devices.json").read_text())
    urls = package["urls"]
    assert package["version"] == release_text(RELEASE)
    assert all(source == target for source, target in urls)
    return {source for source, _ in urls}


def test_package_of_devices_lists_them_and_what_they_import():
    wanted = set()
    for path in (ROOT / "i2c_devices").glob("*.py"):
        imported(f"i2c_devices/{path.name}", wanted)
    assert listed() == wanted
    assert {path.partition("/")[0] for path in wanted} == {"i2c_devices", "primitives", "protocol"}


def test_package_of_devices_works_by_itself(micropython64, tmp_path):
    for path in listed():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / path, tmp_path / path)
    modules = [path[:-3].replace("/", ".") for path in sorted(listed()) if "__init__" not in path]
    code = "\n".join(f"import {module}" for module in modules) + "\nprint('imported')"
    environment = {**os.environ, "MICROPYPATH": f"{tmp_path}:.frozen"}
    shown = subprocess.check_output([micropython64, "-c", code], cwd=tmp_path, env=environment, text=True)
    assert shown == "imported\n"
