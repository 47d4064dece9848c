"""The plugin of pytest: the fixtures `virtual_link` and `real_link`, which run a user's client and server application.

An installed wheel names it as an entry point, so each start of pytest loads it. It imports nothing of the project until
a fixture is used. docs/testing.md describes it.
"""

import argparse
import contextlib
import random

import pytest

OPTION = "--pb-link-seed"
MAX_SEED = (1 << 31) - 1

_links = pytest.StashKey()  # of a test: the links that it has made


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


@contextlib.contextmanager
def _link_maker(request, folders):
    links = request.node.stash.setdefault(_links, [])
    chosen = request.config.getoption("pb_link_seed")

    def make(kind, client, handler, seed, options):
        if seed is None:
            seed = random.SystemRandom().randrange(MAX_SEED) if chosen is None else chosen
        link = kind(client, handler, seed=seed, folder=folders.mktemp("pb_link"), **options)
        links.append(link)
        return link

    try:
        yield make
    finally:
        for link in reversed(links):
            link.close()
    for link in links:
        link.raise_unlooked_for()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Add what the link has done to the report of a test that failed, and how to repeat it."""
    if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
        for link in item.stash.get(_links, ()):
            again = f"again: pytest '{item.nodeid}' {OPTION}={link.seed}"
            item.add_report_section(call.when, "pb_link", f"{again}\n{link.story()}")
    return (yield)
