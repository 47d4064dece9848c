"""Makes a release, in dist/:

    python3 -m build.release [--draft] [--no-tutorial]
    python3 -m build.release --fold

wheel and source distribution, the images of firmware/ and the packages for mip as archives, the notes, and the sums of
all. Then it checks the metadata, makes the wheel anew from the source distribution, installs it in an empty environment
outside of the checkout, lets it deliver lines through crashes, and follows the tutorial with it. --fold moves what is
under Unreleased in CHANGELOG.md below the version's heading. Whoever publishes the release tags the commit.
"""

import argparse
import datetime
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from build.release import archives, changelog
from build.tools.shell import BuildError, say
from protocol.version import RELEASE, release_text

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"  # the one folder that is emptied
VERSION = release_text(RELEASE)
CHANGELOG = ROOT / "CHANGELOG.md"
WHEEL_VARIABLE = "PB_LINK_WHEEL"  # of tests/peers/test_tutorial.py: what `pip install ./pb_link` installs
LINES = 200  # that the installed simulator delivers
FAULTS = "bridge-kill=3,wifi-outage=2,server-kill=1"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python3 -m build.release", description="Make a release, in dist/.")
    parser.add_argument("--draft", action="store_true", help="say that tree or changelog are not ready, and go on")
    parser.add_argument("--no-tutorial", action="store_true", help="do not follow the tutorial: it takes minutes")
    parser.add_argument("--fold", action="store_true", help="move what is under Unreleased below the version's heading")
    parser.add_argument("--out", type=Path, default=DIST, help="a new or empty folder (default: dist)")
    options = parser.parse_args(arguments)
    try:
        if options.fold:
            text = changelog.folded(CHANGELOG.read_text(encoding="utf-8"), VERSION, datetime.date.today().isoformat())
            CHANGELOG.write_text(text, encoding="utf-8")
        else:
            release(options)
    except BuildError as error:
        say(f"build.release: {error}")
        return 1
    return 0


def release(options):
    """Make and try the release. Raises: BuildError."""
    out = options.out.resolve()
    may_be_emptied(out)
    step("is the tree ready?")
    text = None
    try:
        text = notes()
        tree_is_clean()
    except BuildError as error:
        if not options.draft:
            raise
        say(f"    not yet: {error}")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    if text is not None:
        (out / "NOTES.md").write_text(text, encoding="utf-8")
    step("the images of firmware/ are those of the source")
    run(sys.executable, "build/firmware.py", "--check")
    run(sys.executable, "build/client.py", "packages", "--check")
    step("wheel and source distribution")
    run(sys.executable, "-m", "hatchling", "build", "-d", out)
    wheel, source = only(out, "*.whl"), only(out, "*.tar.gz")
    step("archives of the firmware and of the packages for mip")
    archives.write_zip(out / f"pb_link-firmware-{VERSION}.zip", ROOT, archives.firmware_files(ROOT))
    archives.write_zip(out / f"pb_link-mip-{VERSION}.zip", ROOT, archives.mip_files(ROOT, VERSION))
    step("their metadata")
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, source)
    with tempfile.TemporaryDirectory(prefix="pb_link_release_") as folder:
        step("the wheel that the source distribution makes is the same")
        same_from_source(wheel, source, Path(folder))
        step("installed in an empty environment, it delivers lines through crashes")
        try_installed(wheel, Path(folder))
    if not options.no_tutorial:
        step("the tutorial, with this wheel")
        words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/peers/test_tutorial.py")
        run(sys.executable, *words, env={WHEEL_VARIABLE: str(wheel), "CI": "1"})
    archives.write_sums(out)
    step(f"release {VERSION} is in {out}: tag the commit v{VERSION}")


def step(text):
    say(f"==> {text}")


def run(*command, cwd=ROOT, env=None):
    """Returns what a command prints. Raises: BuildError with its output."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BuildError(f"{' '.join(map(str, command))} has failed:\n{done.stdout}")
    return done.stdout


def only(folder, pattern):
    """Returns the one file of this pattern."""
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise BuildError(f"{folder} has {len(found)} files {pattern}, not one")
    return found[0]


def may_be_emptied(out):
    """Raises: BuildError if a folder for the release is not dist/, and has something in it."""
    if out == DIST or not out.exists():
        return
    if not out.is_dir():
        raise BuildError(f"{out} is no folder: give --out a new or an empty one")
    if any(out.iterdir()):
        raise BuildError(f"{out} is not empty, and only dist/ is emptied: give --out a new or an empty folder")


def notes():
    """Returns the notes of the release. Raises: BuildError."""
    return changelog.notes(CHANGELOG.read_text(encoding="utf-8"), VERSION)


def tree_is_clean():
    """Raises: BuildError if something is not committed."""
    changed = run("git", "status", "--porcelain", "--untracked-files=no").splitlines()
    if changed:
        raise BuildError(f"{len(changed)} files are changed and not committed, {changed[0][3:]} among them")


def same_from_source(wheel, source, folder):
    """Raises: BuildError if the source distribution lacks something, or makes another wheel."""
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, source)
    found = archives.differing_wheels(wheel, only(folder, "*.whl"))
    if found:
        raise BuildError(f"the source distribution makes another wheel: {', '.join(found[:5])}")


def try_installed(wheel, folder):
    """Install the wheel in an environment of its own, and use it there. Raises: BuildError."""
    place = folder / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", place)
    binaries = place / ("Scripts" if os.name == "nt" else "bin")
    python, command = binaries / "python", binaries / "pb-link"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", wheel)
    home = folder / "home"
    home.mkdir()
    there = {"cwd": home, "env": {"PYTHONPATH": "", "HOME": str(home)}}
    if run(command, "--version", **there).strip() != f"pb-link {VERSION}":
        raise BuildError("the installed command is of another version")
    with socket.create_server(("", 0)) as free:  # the default one may be that of a server that runs here
        port = free.getsockname()[1]
    run(command, "init", "demo", "--server", "192.0.2.7", "--port", port, **there)
    run(command, "check", "--config", "pb_link.toml", **there)
    words = ("sim", "run", "--bed", "virtual", "--lines", LINES, "--faults", FAULTS, "--json")
    result = json.loads(run(command, *words, **there).splitlines()[-1])
    if result["client_to_server"]["delivered"] != LINES or result["server_to_client"]["delivered"] != LINES:
        raise BuildError(f"not all lines were delivered: {result}")
    say(f"    {LINES} lines each way, {result['resets']} resets of the ESP8266, {result['outages']} outages")


if __name__ == "__main__":
    sys.exit(main())
