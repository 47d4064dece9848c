"""Messages of a transfer, and which are refused."""

import pytest

from remote_i2c.messages import MAX_BYTES, MAX_MESSAGES, Message, check, read, read_counted, write


def test_message_that_reads_has_no_data():
    assert read(0x48, 2).reads and not write(0x48, b"").reads


def test_a_counted_read_may_have_a_whole_block_and_its_count():
    assert read_counted(0x48, behind=1).most == 1 + 32 + 1


@pytest.mark.parametrize(
    ("messages", "error", "text"),
    [
        ([], ValueError, "1 to 42 messages, not 0"),
        ([write(0x48, b"")] * (MAX_MESSAGES + 1), ValueError, "not 43"),
        ([write(0x48, b""), write(0x80, b"")], ValueError, "message 1: the address 0x80"),
        ([read(-1, 1)], ValueError, "message 0: the address -0x1"),
        ([read("0x48", 1)], TypeError, "message 0: an address is an int, not str"),
        ([read(True, 1)], TypeError, "not bool"),
        ([read(0x48, -1)], ValueError, "message 0: its size is -1"),
        ([read(0x48, MAX_BYTES + 1)], ValueError, "message 0: it has 8193 bytes"),
    ],
)
def test_what_is_no_transfer_is_refused_and_named(messages, error, text):
    with pytest.raises(error, match=text):
        check(messages)


def test_the_longest_transfer_is_taken():
    check([Message(0x7F, bytes(MAX_BYTES))] * MAX_MESSAGES)
