"""Who reads which client's lines."""

import pytest

from protocol.errors import LocalProtocolError
from server.core.readers import Readers


def test_lines_that_nobody_has_reserved_are_for_anybody():
    Readers().admit("a")


def test_reserved_lines_are_for_their_reader_alone():
    readers = Readers()
    readers.reserve("the gateway", ["a"])
    readers.admit("a", "the gateway")
    readers.admit("b")
    for other in (None, "another"):
        with pytest.raises(LocalProtocolError, match="the lines of a are read by the gateway"):
            readers.admit("a", other)


def test_several_readers_have_clients_of_their_own():
    readers = Readers()
    readers.reserve("one", ["a"])
    readers.reserve("two", ["b"])
    readers.admit("a", "one")
    readers.admit("b", "two")
    with pytest.raises(LocalProtocolError, match="of b are read by two"):
        readers.admit("b", "one")


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [(None, None, "all clients"), (None, ["a"], "a"), (["b", "a"], None, "a, b"), (["a", "b"], ["b", "c"], "b")],
)
def test_client_of_two_readers_is_an_error_that_names_them(first, second, common):
    readers = Readers()
    readers.reserve("one", first)
    with pytest.raises(LocalProtocolError, match=f"^one and two would both read the lines of {common}: give each"):
        readers.reserve("two", second)
    with pytest.raises(LocalProtocolError, match="read by one"):
        readers.admit("b" if first else "a", "two")  # nothing has changed


@pytest.mark.parametrize("others", [None, ["a"]])
def test_reader_of_nobody_is_in_nobodys_way(others):
    readers = Readers()
    readers.reserve("one", [])
    readers.reserve("two", others)
    readers.reserve("one", [])
    readers.admit("a", "two")


def test_reader_that_reserves_again_has_the_new_clients():
    readers = Readers()
    readers.reserve("one", ["a", "b"])
    readers.reserve("one", ["b", "c"])
    readers.admit("a")
    with pytest.raises(LocalProtocolError):
        readers.admit("c")


def test_channels_that_are_not_reserved_are_for_anybody():
    readers = Readers()
    readers.reserve("the gateway", ["a"], {0, 20})
    readers.admit("a", None, 21)
    readers.admit("b", None, 20)
    readers.admit("a", "the gateway", 20)
    with pytest.raises(LocalProtocolError, match="^the messages on channel 20 of a are read by the gateway: an appli"):
        readers.admit("a", None, 20)


def test_two_readers_may_have_different_channels_of_a_client():
    readers = Readers()
    readers.reserve("one", ["a"], {20, 21})
    readers.reserve("two", None, {0, 22})
    with pytest.raises(LocalProtocolError, match="^one and three would both read the messages on channel 21 of a:"):
        readers.reserve("three", None, {21, 23})
