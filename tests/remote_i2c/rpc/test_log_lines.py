"""The lines of text of the door's events. That they come is tested with the services."""

import pytest

from remote_i2c.rpc.log_lines import CALL, LISTENING, REFUSED, SESSION, line_of


@pytest.mark.parametrize(
    ("event", "details", "line"),
    [
        (LISTENING, {"address": "127.0.0.1:50051"}, "Server started"),
        (SESSION, {"what": "opened", "session": "ab", "bus": "1", "peer": "::1"}, "New client(ab) requests bus 1"),
        (SESSION, {"what": "closed", "session": "ab"}, "Client(ab) closes"),
        (
            SESSION, {"what": "expired", "session": "ab", "after_s": 5.0},
            "No activity from client ab since 5 sec delete it",
        ),
        (
            CALL, {"session": "ab", "call": "read_i2c_block_data", "address": "0x10", "register": "0xa"},
            "Client(ab) read_i2c_block_data at 0x10 register 0xa",
        ),
        (CALL, {"session": "ab", "call": "read_byte", "address": "0x48"}, "Client(ab) read_byte at 0x48"),
        (
            CALL, {"session": "ab", "call": "i2c_rdwr", "messages": "write 2 at 0x48"},
            "Client(ab) i2c_rdwr write 2 at 0x48",
        ),
        (
            REFUSED, {"reason": "no valid token", "path": "/a\n/b", "peer": "192.0.2.7"},
            "192.0.2.7 refused (path /a\\n/b): no valid token",
        ),
        (
            REFUSED, {"reason": "not allowed", "session": "ab", "bus": "mast", "address": "0x8"},
            "Client(ab) refused (bus mast, address 0x8): not allowed",
        ),
        (REFUSED, {"reason": "8 calls are under way", "session": "ab"}, "Client(ab) refused: 8 calls are under way"),
    ],
)  # fmt: skip
def test_an_event_has_its_line(event, details, line):
    assert line_of(event, **details) == line
