"""Packages and source from Debian: missing packages, and the source of MicroPython, checked by apt.

Nothing of the system's apt configuration changes: the source is looked up with lists and a cache of our own. The
archive's address is the one that the machine already uses.
"""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from build.tools.shell import BuildError, MissingTool, clean_environment, output_of, run_logged, say

PINNED_VERSION = "1.25.0"
MIN_VERSION = (1, 25)
SUITES = ("trixie", "forky", "sid")  # trixie has the pinned version; the others are asked only if it is gone
DEFAULT_ARCHIVE = "http://deb.debian.org/debian"
KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp")
WITHOUT_DEBIAN = (
    "Install MicroPython >= 1.25 and have it on PATH or name it in MICROPYTHON (64-bit), MICROPYTHON32 (32-bit); "
    "or name a folder with its unpacked source in MICROPYTHON_SOURCE."
)


def program(name, package, what_for):
    """Returns the path of a program that the Debian package has, which is installed if it is not on PATH.

    Raises: MissingTool as `install`.
    """
    if not shutil.which(name):
        if not shutil.which("apt-get"):
            raise MissingTool(f"{what_for} needs {name}: install it, and have it on PATH.")
        install([package], what_for)
    found = shutil.which(name)
    if not found:
        raise MissingTool(f"{package} is installed, but {name} is not on PATH. Add its folder, /usr/bin perhaps.")
    return found


def install(packages, what_for):
    """Install Debian packages without asking, if root, or in CI where sudo asks for no password.

    Raises: MissingTool that names the one command that installs them, if not root or not Debian.
    """
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise MissingTool(f"{what_for} needs {names} (Debian's names), and this is no Debian. {WITHOUT_DEBIAN}")
    by_hand = f"apt-get install -y {names}"
    rights = None if os.environ.get("PB_LINK_NO_INSTALL") else _rights()
    if rights is None:
        raise MissingTool(f"{what_for} needs {names}. Install with:  sudo {by_hand}")
    say(f"Installing {names} ({what_for}) ..")
    apt = [*rights, "apt-get", "-y"]
    command = [*apt, "-o", "DPkg::Lock::Timeout=120", "--no-install-recommends", "install", *packages]
    if not _quietly(command):
        say("Updating the package lists ..")
        if not (_quietly([*apt, "update"]) and _quietly(command)):
            raise MissingTool(f"{names} could not be installed. Is the network up? Try:  apt-get update && {by_hand}")


def in_ci():
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def _rights():
    """Returns the words before a command that run it as root, or None if root needs a password."""
    if os.geteuid() == 0:
        return []
    if in_ci() and output_of(["sudo", "-n", "true"]) is not None:
        return ["sudo", "-n"]
    return None


def _quietly(command):
    environment = dict(clean_environment(), DEBIAN_FRONTEND="noninteractive")
    return output_of(command, env=environment) is not None


def fetch_micropython(folder):
    """Download the source archive of MicroPython into the folder.

    Returns: (version, path of the .tar.xz)
    Raises: MissingTool if this is no Debian, the network is down, or the archive has no fitting version.
    """
    keyring = next((path for path in KEYRINGS if os.path.exists(path)), None)
    if not shutil.which("apt-get") or keyring is None:
        raise MissingTool(
            f"The source of MicroPython comes from Debian's archive by apt, which is not here. {WITHOUT_DEBIAN}"
        )
    failures = []
    for archive in archives():
        for suite in SUITES:
            say(f"Looking for the source of MicroPython {PINNED_VERSION} in {archive} {suite} ..")
            try:
                with _Apt(folder / "apt", archive, suite, keyring) as apt:
                    apt.update()
                    version = best_version(apt.versions())
                    if version is not None:
                        return _upstream(version), apt.download(version, folder)
                    failures.append(f"{suite}: no version from {PINNED_VERSION} on")
            except BuildError as error:
                failures.append(f"{suite}: {error}")
                break  # the next suite of an archive that does not answer will not answer either
    raise MissingTool(
        "The source of MicroPython could not be downloaded. Is the network up, and are the sources in /etc/apt "
        f"right? {WITHOUT_DEBIAN}\n" + "\n".join(failures)
    )


def archives():
    """Returns the addresses of the Debian archive that this machine uses, most trusted first."""
    found = []
    targets = output_of(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(SITE)"]) or ""
    for line in targets.splitlines():  # knows only suites whose lists were fetched: none on a fresh machine
        origin, label, site = (line.split("|") + ["", ""])[:3]
        if origin == label == "Debian":
            found.append(site)
    sources = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for path in sources:
        if path.suffix in (".list", ".sources"):
            with contextlib.suppress(OSError):
                found += archives_in(path.read_text(errors="replace"))
    return list(dict.fromkeys(address.rstrip("/") for address in [*found, DEFAULT_ARCHIVE]))


def archives_in(sources):
    """Returns the addresses in the text of a sources file that look like a Debian archive's."""
    text = "\n".join(line for line in sources.splitlines() if not line.lstrip().startswith("#"))
    return re.findall(r"\bhttps?://[^\s\]]+/debian/?(?=\s|$)", text)


def best_version(versions):
    """Returns the pinned version if it is among them, else the newest from MIN_VERSION on, else None."""
    fitting = [version for version in versions if _numbers(version)[:2] >= MIN_VERSION]
    pinned = [version for version in fitting if _upstream(version) == PINNED_VERSION]
    return max(pinned or fitting, key=_numbers, default=None)


def _upstream(version):
    return re.match(r"[0-9.]*", version).group()


def _numbers(version):
    return tuple(int(number) for number in re.findall(r"\d+", version))


class _Apt:
    """apt with its own lists, sources and cache, for one suite's source packages."""

    def __init__(self, folder, archive, suite, keyring):
        self._folder = folder
        self._source_line = f"deb-src [signed-by={keyring}] {archive} {suite} main\n"

    def __enter__(self):
        for name in ("lists/partial", "cache/archives/partial"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        sources = self._folder / "sources.list"
        sources.write_text(self._source_line)
        settings = {
            "Dir::Etc::sourcelist": sources,
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": self._folder / "lists",
            "Dir::Cache": self._folder / "cache",
            "APT::Sandbox::User": "root",  # the unprivileged fetcher cannot write into a folder of ours
            "Acquire::Retries": "1",
            "Acquire::http::Timeout": "20",
            "Acquire::https::Timeout": "20",
            "APT::Get::List-Cleanup": "false",
        }
        self._options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        return self

    def __exit__(self, *exc_info):
        shutil.rmtree(self._folder, ignore_errors=True)

    def update(self):
        # --error-on=any: an archive that does not answer is only a warning otherwise.
        self._run("apt-get", "update", "--error-on=any")

    def versions(self):
        listed = output_of(["apt-cache", *self._options, "showsrc", "--only-source", "micropython"]) or ""
        return re.findall(r"^Version: (\S+)$", listed, re.MULTILINE)

    def download(self, version, folder):
        say(f"Downloading the source of MicroPython {version} (6 MB) ..")
        folder.mkdir(parents=True, exist_ok=True)
        self._run("apt-get", "source", "--download-only", f"micropython={version}", cwd=folder)
        upstream = version.rpartition("-")[0]
        return folder / f"micropython_{upstream}.orig.tar.xz"

    def _run(self, program, *words, **options):
        run_logged([program, *self._options, *words], self._folder / "log", **options)


def missing_for_c(bits, folder):
    """Returns the Debian packages that compiling for 32 or 64 bits lacks here, found out by trying."""
    missing = [name for name in ("make", "gcc") if not shutil.which(name)]
    if "gcc" not in missing and not _compiles([], folder):
        missing.append("libc6-dev")
    elif not missing and bits == 32 and not _compiles(["-m32"], folder):
        missing.append("gcc-multilib")
    return missing


def _compiles(flags, folder):
    program = b"#include <errno.h>\n#include <stdio.h>\nint main(void) { return puts(\"\") == EOF; }\n"
    target = folder / f"compiles.{os.getpid()}"
    try:
        done = subprocess.run(
            ["gcc", *flags, "-x", "c", "-", "-o", str(target)], input=program, env=clean_environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        return done.returncode == 0
    except OSError:
        return False
    finally:
        target.unlink(missing_ok=True)
