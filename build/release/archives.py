"""The archives of a release: firmware and the packages for mip, the same bytes from the same files."""

import hashlib
import json
import zipfile

from build.tools.shell import BuildError

# For mip: each is an index, whose files lie below the folder in which it is.
INDEXES = ("package.json", "i2c_devices.json", "sensor_bus.json")
SUMS = "SHA256SUMS"
_DATE = (1980, 1, 1, 0, 0, 0)  # the oldest that a zip file can have


def write_zip(path, root, names):
    """Write a zip file of these files below root. Raises: BuildError that names one that is absent."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(set(names)):
            if not (root / name).is_file():
                raise BuildError(f"{name} belongs to the release, and is not there")
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, (root / name).read_bytes())


def firmware_files(root):
    return [path.relative_to(root).as_posix() for path in (root / "firmware").iterdir() if path.is_file()]


def mip_files(root, version):
    """Returns the indexes and the files that they name. Raises: BuildError for an index of another version."""
    found = []
    for name in INDEXES:
        index = json.loads((root / name).read_text(encoding="utf-8"))
        if index["version"] != version:
            raise BuildError(f"{name} is of version {index['version']}, not {version}: make firmware")
        found += [name, *(source for _, source in index["urls"])]
    return found


def write_sums(folder):
    """Write the SHA-256 of each file of a folder, as sha256sum --check reads them."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="ascii")


def differing_wheels(one, other):
    """Returns the names of files in which two wheels differ."""
    with zipfile.ZipFile(one) as first, zipfile.ZipFile(other) as second:
        names = {*first.namelist(), *second.namelist()}
        there = set(first.namelist()) & set(second.namelist())
        return sorted(name for name in names if name not in there or first.read(name) != second.read(name))
