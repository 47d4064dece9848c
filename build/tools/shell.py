"""Runs other programs: progress to stderr, output to a log, each failure as one readable error."""

import os
import subprocess
import sys

LOG_TAIL_LINES = 30  # of a failed program's output, shown in the error

# Variables from an outer make that would change the build: its flags, its job server, its variables.
_MAKE_VARIABLES = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "GNUMAKEFLAGS")
_BUILD_VARIABLES = (
    "BUILD", "CFLAGS", "CFLAGS_EXTRA", "CPPFLAGS", "CROSS_COMPILE", "FROZEN_MANIFEST", "LDFLAGS", "V", "VARIANT"
)


class BuildError(Exception):
    """A problem that the user can correct; the text says what and how."""


class MissingTool(BuildError):
    """This machine lacks what a build needs: its text names the remedy, and tests may be skipped."""


def say(text):
    """Show one line of progress. stdout is left for the result."""
    print(text, file=sys.stderr, flush=True)


def progress(text):
    """Show at a terminal what is being done, for which a log has no use."""
    if sys.stderr.isatty():
        say(f"{text} ..")


def clean_environment():
    """Returns the environment without what would leak into a build, and in the C locale."""
    dropped = _MAKE_VARIABLES + _BUILD_VARIABLES
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    environment["LC_ALL"] = "C"
    return environment


def output_of(command, **options):
    """Returns stdout of the command, or None if it failed, took too long or does not exist."""
    options.setdefault("env", clean_environment())
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def run_logged(command, log_path, remedy="", **options):
    """Run the command with its output in a file.

    Raises: BuildError with the end of that output and the remedy.
    """
    options.setdefault("env", clean_environment())
    with open(log_path, "wb") as log:
        try:
            status = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **options
            ).returncode
        except OSError as error:
            raise BuildError(f"{command[0]} could not be started: {error}. {remedy}".rstrip()) from None
    if status:
        with open(log_path, encoding="utf-8", errors="replace") as log:
            tail = "".join("    " + line for line in log.readlines()[-LOG_TAIL_LINES:])
        raise BuildError(
            f"`{' '.join(map(str, command[:4]))} ..` failed with status {status}. "
            f"{remedy}\nThe end of {log_path}:\n{tail}".rstrip()
        )
