"""How many of many cases of one kind a test tries: some of them in `make test`, all of them in `make test-cases`."""

import os

ALL_CASES = "PB_LINK_ALL_CASES"  # environment variable; `make test-cases` sets it


def all_or(some, every):
    """Returns `every` in `make test-cases`, and `some` elsewhere: cases, their number, or the step from one to the
    next. The file has the line `from tests.sample import all_or`, by which the Makefile finds it."""
    return every if os.getenv(ALL_CASES) else some
