"""How many of many cases of one kind a test tries: some of them where a developer waits, and all of them in CI."""

from build.tools.debian import in_ci


def all_or(some, every):
    """Returns `every` in CI, and `some` elsewhere: cases, their number, or the step from one to the next."""
    return every if in_ci() else some
