"""The files that a manifest freezes: their list, their hash, a staged copy to build from, and one of C sources.

Building from a copy has two advantages. The binary holds exactly what was hashed, even if someone edits meanwhile. And
make never sees the project's own path, which may contain spaces.
"""

import hashlib
import json
import shutil
import subprocess
import sys

from build.tools.shell import BuildError, clean_environment

# Runs MicroPython's own reader of manifests in a process of its own, because it changes the working directory.
_LIST_FILES = """
import json, sys
source, manifest = sys.argv[1:]
sys.path.insert(0, source + "/tools")
import manifestfile
paths = {"MPY_DIR": source, "PORT_DIR": source + "/ports/unix", "BOARD_DIR": None, "MPY_LIB_DIR": None}
reader = manifestfile.ManifestFile(manifestfile.MODE_FREEZE, paths)
try:
    reader.execute(manifest)
except manifestfile.ManifestFileError as error:
    sys.exit(str(error))
kinds = {
    manifestfile.KIND_FREEZE_AS_STR: "as_str",
    manifestfile.KIND_FREEZE_AS_MPY: "as_mpy",
    manifestfile.KIND_FREEZE_MPY: "mpy",
}
print(json.dumps([[f.full_path, f.target_path, kinds[f.kind], f.opt] for f in reader.files()]))
"""


def frozen_files(source, manifest):
    """Returns [(full path, target path, kind, optimisation level or None), ..], sorted by target path.
    The kind ends the name of the manifest function that freezes such a file: as_mpy, as_str, mpy.

    Args: source: the MicroPython source; manifest: path of the manifest.
    Raises: BuildError on an error in the manifest, or if two files would be frozen under one name.
    """
    command = [sys.executable, "-c", _LIST_FILES, str(source), str(manifest)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=clean_environment())
    if done.returncode:
        raise BuildError(f"{manifest} cannot be read: {done.stderr.strip()}")
    files = sorted((tuple(file) for file in json.loads(done.stdout)), key=lambda file: file[1])
    for before, after in zip(files, files[1:], strict=False):
        if before[1] == after[1] and before != after:
            raise BuildError(f"{manifest} freezes two files as {after[1]}: {before[0]} and {after[0]}")
    return list(dict.fromkeys(files))


def digest_of(files):
    """Returns the SHA-256 of names, options and contents of the files."""
    digest = hashlib.sha256()
    for full_path, target_path, kind, opt in files:
        with open(full_path, "rb") as file:
            content = file.read()
        digest.update(f"{target_path}\0{kind}\0{opt}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def stage(files, folder):
    """Copy the files to the folder and write a manifest there that freezes the copies.

    Returns: (the copies as `digest_of` takes them, the path of the manifest)
    """
    shutil.rmtree(folder, ignore_errors=True)
    lines, copies = [], []
    for full_path, target_path, kind, opt in files:
        copy = folder / "files" / target_path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(full_path, copy)
        copies.append((str(copy), target_path, kind, opt))
        level = "" if opt is None or kind != "as_mpy" else f", opt={opt!r}"
        lines.append(f"freeze_{kind}({str(folder / 'files')!r}, {target_path!r}{level})\n")
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.py"
    manifest.write_text("".join(lines))
    return copies, manifest


def mirror_modules(sources, folder):
    """Make the folder hold a copy of each source folder, under its name, and of no other: the port's make builds in
    whatever user module lies there.

    Returns: the copies as `digest_of` takes them
    """
    names = {source.name for source in sources}
    for other in folder.glob("*"):
        if other.name not in names:
            shutil.rmtree(other)
    return [copy for source in sources for copy in mirror(source, folder / source.name)]


def mirror(source, folder):
    """Make the folder a copy of the source folder. A file that is the same is left alone: make goes by its time.

    Returns: the copies as `digest_of` takes them
    """
    wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    for copy in [path for path in folder.rglob("*") if path.is_file()]:
        if copy.relative_to(folder) not in wanted:
            copy.unlink()
    for name in sorted(wanted):
        copy = folder / name
        content = (source / name).read_bytes()
        if not copy.exists() or copy.read_bytes() != content:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
    return [(str(folder / name), str(name), "c", None) for name in sorted(wanted)]
