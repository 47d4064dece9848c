"""How much a Receiver must hold. Apart, since a board needs it at the start only (pb_link/start.py)."""

from protocol.limits import MIN_FIRST, MIN_FRAGMENT, RECORD_CHARGE, ROOM_UNIT


def receive_bytes(max_line):
    """The least max_bytes of a Receiver for lines of max_line bytes.

    One fragment of MIN_FIRST bytes and the others of MIN_FRAGMENT, each charged RECORD_CHARGE, and one unit for
    rounding down.
    """
    fragments = 1 + (max_line - MIN_FIRST + MIN_FRAGMENT - 1) // MIN_FRAGMENT
    return max_line + fragments * RECORD_CHARGE + ROOM_UNIT
