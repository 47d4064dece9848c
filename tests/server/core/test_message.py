"""Messages are tuples, so that a store keeps them as they are."""

from server.core.message import DROPPED, Message, dropped, line


def test_line_is_a_message_of_channel_0_that_never_expires():
    assert line(b"x") == Message(channel=0, kind=0, time=0, data=b"x") == (0, 0, 0, b"x")


def test_what_has_expired_keeps_its_channel_and_is_empty():
    assert dropped(Message(7, 2, 1 << 40, b"idx")) == Message(7, DROPPED, 0, b"")
