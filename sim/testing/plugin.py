"""The plugin of pytest: the fixtures `virtual_link` and `real_link`, which run a user's client and server application.

An installed wheel names it as an entry point, so each start of pytest loads it. It imports nothing of the project until
a fixture is used. docs/testing.md describes it.
"""

import argparse
import contextlib
import os
import random

import pytest

OPTION = "--pb-link-seed"
MAX_SEED = (1 << 31) - 1

_made = pytest.StashKey()  # of a test: its _Links


def pytest_addoption(parser):
    parser.getgroup("pb_link").addoption(
        OPTION, dest="pb_link_seed", type=_seed, metavar="N",
        help="repeat what virtual_link and real_link chose at random; a test that fails shows its N",
    )  # fmt: skip


def _seed(text):
    if not text.isdecimal() or int(text) > MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 to {MAX_SEED}")
    return int(text)


@pytest.fixture
def virtual_link(request, tmp_path_factory):
    """A function that runs a client's program and a server's handler on a clock that jumps: docs/testing.md."""
    from sim.testing.virtual import VirtualLinkFixture

    with _link_maker(request, tmp_path_factory) as make:
        yield VirtualLinkFixture(make)


@pytest.fixture
def real_link(request, tmp_path_factory):
    """A function that runs a client's program in MicroPython on simulated boards, with a server: docs/testing.md."""
    from sim.mpy.interpreters import NoInterpreter, find
    from sim.testing.real import RealLinkFixture

    try:
        find()
    except NoInterpreter as error:
        pytest.skip(f"real_link: {error}")
    with _link_maker(request, tmp_path_factory) as make:
        yield RealLinkFixture(make)


class _Links:
    """The links of one run of a test. Args: seed: the test's. The first link has it, and the others' follow from it."""

    def __init__(self, seed):
        self.seed = seed
        self.links = []
        self._given = 0

    @property
    def follows(self):
        """Whether a link has a seed that follows from the test's."""
        return self._given > 0

    def next_seed(self):
        self._given += 1
        return self.seed if self._given == 1 else random.Random(f"{self.seed} link {self._given}").randrange(MAX_SEED)


def _links_of(item):
    if item.stash.get(_made, None) is None:
        chosen = item.config.getoption("pb_link_seed")
        item.stash[_made] = _Links(random.SystemRandom().randrange(MAX_SEED) if chosen is None else chosen)
    return item.stash[_made]


@contextlib.contextmanager
def _link_maker(request, folders):
    made = _links_of(request.node)

    def make(kind, client, handler, seed, options):
        if seed is None:
            seed = made.next_seed()
        link = kind(client, handler, seed=seed, folder=folders.mktemp("pb_link"), **options)
        made.links.append(link)
        return link

    try:
        yield make
    finally:
        with contextlib.ExitStack() as stack:  # all are closed, whatever one of them raises
            for link in made.links:
                stack.callback(link.close)
    for link in made.links:
        link.raise_unlooked_for()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Forget the links of its last run: a plugin may run a test again."""
    item.stash[_made] = None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    """Add what the link has done to the report of a test that failed, and how to repeat it."""
    report = yield  # in a class of unittest, nobody but the maker of the report knows of a failure
    made = item.stash.get(_made, None)
    if report.failed and made is not None and made.links:
        told = "\n".join([_again(item, made), *_stories(made.links)])
        report.sections.append((f"Captured pb_link {call.when}", told))
    return report


def _again(item, made):
    file, *names = item.nodeid.split("::")  # the file from the root folder, not from the current one
    file = os.path.relpath(item.config.rootpath / file, item.config.invocation_params.dir)
    node = "::".join([file, *names]).replace("'", "'\"'\"'")
    return f"again: pytest '{node}'" + (f" {OPTION}={made.seed}" if made.follows else "")


def _stories(links):
    for number, link in enumerate(links, 1):
        if len(links) > 1:
            yield f"link {number} of this test, seed {link.seed}:"
        yield link.story()
