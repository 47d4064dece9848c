"""The messages of channel 4, on which the server tells the time. Both go without qos: docs/protocol.md section 6.

    client to server: id 2 bytes
    server to client: the same id 2, UTC in ms since 1970 8
"""

from struct import pack, unpack

from protocol import const

TIME_CHANNEL = const(4)

_QUESTION = ">H"
_ANSWER = ">HQ"
_QUESTION_BYTES = const(2)
_ANSWER_BYTES = const(10)


def encode_question(number):
    """number: 0..65535."""
    return pack(_QUESTION, number)


def decode_question(data):
    """Returns the number, or None if this is no question."""
    return unpack(_QUESTION, data)[0] if len(data) == _QUESTION_BYTES else None


def encode_answer(number, utc_ms):
    return pack(_ANSWER, number, utc_ms)


def decode_answer(data):
    """Returns (number, utc_ms), or None if this is no answer."""
    return unpack(_ANSWER, data) if len(data) == _ANSWER_BYTES else None
