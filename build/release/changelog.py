"""CHANGELOG.md at a release: what is under Unreleased goes below the heading of the version. Text in, text out."""

import re

from build.tools.shell import BuildError

UNRELEASED = "## [Unreleased]"
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")  # Keep a Changelog 1.1.0
_HEADING = re.compile(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)
_KIND = re.compile(r"^### (\w+)$", re.MULTILINE)


def sections(text):
    """Returns (what stands before the first heading, [(name, date or None, body)]). Raises: BuildError."""
    parts = _HEADING.split(text)
    found = list(zip(parts[1::3], parts[2::3], [body.strip("\n") for body in parts[3::3]], strict=True))
    if not found or found[0][0] != "Unreleased":
        raise BuildError(f"CHANGELOG.md has no heading {UNRELEASED}")
    return parts[0], found


def kinds(body):
    """Returns {kind: its list} of a section; lists of one kind are joined. Raises: BuildError for a kind that Keep a
    Changelog does not know."""
    parts = _KIND.split(body)
    found = {}
    for kind, entries in zip(parts[1::2], parts[2::2], strict=True):
        found[kind] = (found.get(kind, "") + "\n" + entries.strip("\n")).strip("\n")
    unknown = [kind for kind in found if kind not in KINDS]
    if unknown or parts[0].strip():
        raise BuildError(f"CHANGELOG.md: {unknown[0] if unknown else parts[0].strip()!r} is none of {', '.join(KINDS)}")
    return {kind: entries for kind, entries in found.items() if entries}


def folded(text, version, date):
    """Returns the text with what was under Unreleased below the heading of the version, which is made if it is absent,
    and gets this date. Of each kind the newer entries come first."""
    head, (unreleased, *older) = sections(text)
    new, rest = kinds(unreleased[2]), {}
    if older and older[0][0] == version:
        rest = kinds(older.pop(0)[2])
    lists = []
    for kind in KINDS:
        entries = [part[kind] for part in (new, rest) if kind in part]
        if entries:
            lists.append(f"### {kind}\n\n" + "\n".join(entries))
    made = [f"{UNRELEASED}\n", "\n\n".join([f"## [{version}] - {date}", *lists]) + "\n"]
    made += [f"## [{name}]{f' - {day}' if day else ''}\n\n{body}\n" for name, day, body in older]
    return head + "\n".join(made)


def notes(text, version):
    """Returns the body of a version, for whoever publishes it. Raises: BuildError: it has no heading with a date, or
    something is still under Unreleased."""
    _, (unreleased, *older) = sections(text)
    if kinds(unreleased[2]):
        raise BuildError("CHANGELOG.md has entries under Unreleased: python3 -m build.release --fold")
    for name, date, body in older:
        if name == version and date:
            return body + "\n"
    raise BuildError(f"CHANGELOG.md has no heading ## [{version}] - DATE: python3 -m build.release --fold")
