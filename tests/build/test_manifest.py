"""The packages that are of use without the client carry what is imported, and nothing else."""

import json
import os
import shutil
import subprocess

import pytest

from protocol.version import RELEASE, release_text
from tests.build.imports import ROOT, imported

PACKAGES = {
    "i2c_devices": {"i2c_devices", "primitives", "protocol"},
    "sensor_bus": {"sensor_bus", "primitives", "protocol"},
}
NOT_FOR_BOARDS = {"linux_i2c.py"}


def listed(package):
    """The files of the package's list, i2c_devices.json and the like."""
    package = json.loads((ROOT / f"{package}.json").read_text())
    urls = package["urls"]
    assert package["version"] == release_text(RELEASE)
    assert all(source == target for source, target in urls)
    return {source for source, _ in urls}


@pytest.mark.parametrize("package", PACKAGES)
def test_package_lists_its_files_and_what_they_import(package):
    wanted = set()
    for path in (ROOT / package).glob("*.py"):
        if path.name not in NOT_FOR_BOARDS:
            imported(f"{package}/{path.name}", wanted)
    assert listed(package) == wanted
    assert {path.partition("/")[0] for path in wanted} == PACKAGES[package]


@pytest.mark.parametrize("package", PACKAGES)
def test_package_works_by_itself(package, micropython64, tmp_path):
    for path in listed(package):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / path, tmp_path / path)
    modules = [path[:-3].replace("/", ".") for path in sorted(listed(package)) if "__init__" not in path]
    code = "\n".join(f"import {module}" for module in modules) + "\nprint('imported')"
    environment = {**os.environ, "MICROPYPATH": f"{tmp_path}:.frozen"}
    shown = subprocess.check_output([micropython64, "-c", code], cwd=tmp_path, env=environment, text=True)
    assert shown == "imported\n"
