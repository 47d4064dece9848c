"""The archives of a release: complete, of one version, and the same bytes each time."""

import json
import subprocess
import zipfile

import pytest

from build.release import archives
from build.release.__main__ import ROOT, VERSION
from build.tools.shell import BuildError


def test_archives_of_the_project_have_all_files_that_are_flashed_and_installed(tmp_path):
    archives.write_zip(tmp_path / "f.zip", ROOT, archives.firmware_files(ROOT))
    archives.write_zip(tmp_path / "m.zip", ROOT, archives.mip_files(ROOT, VERSION))
    names = zipfile.ZipFile(tmp_path / "f.zip").namelist()
    assert {"firmware/esp_link.romfs", "firmware/manifest.json", "firmware/README.md"} <= set(names)
    names = set(zipfile.ZipFile(tmp_path / "m.zip").namelist())
    assert {"package.json", "sensor_bus.json", "i2c_devices/stream_target.py"} <= names


def test_same_files_make_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ("b", "a"):
            (tmp_path / folder / name).write_text(name)
    archives.write_zip(tmp_path / "1.zip", tmp_path / "one", ["a", "b"])
    archives.write_zip(tmp_path / "2.zip", tmp_path / "two", ["b", "a", "a"])
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_absent_file_and_other_version_are_told(tmp_path):
    with pytest.raises(BuildError, match="gone.py belongs to the release"):
        archives.write_zip(tmp_path / "x.zip", tmp_path, ["gone.py"])
    for name in archives.INDEXES:
        (tmp_path / name).write_text(json.dumps({"version": "0.0.1", "urls": []}))
    with pytest.raises(BuildError, match="package.json is of version 0.0.1, not 9.9.9"):
        archives.mip_files(tmp_path, "9.9.9")


def test_sums_are_as_sha256sum_reads_them(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    archives.write_sums(tmp_path)
    archives.write_sums(tmp_path)  # its own file is none of them
    subprocess.run(["sha256sum", "--check", "--strict", archives.SUMS], cwd=tmp_path, check=True, capture_output=True)


def test_wheels_differ_by_a_byte_and_by_a_file(tmp_path):
    for name, content in (("one", {"a": "1", "b": "2"}), ("two", {"a": "1", "b": "3"}), ("three", {"a": "1"})):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for inner, text in content.items():
                archive.writestr(inner, text)
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    assert archives.differing_wheels(one, one) == []
    assert archives.differing_wheels(one, two) == archives.differing_wheels(one, three) == ["b"]
