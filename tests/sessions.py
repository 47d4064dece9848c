"""What tests ask of a session that no adapter needs to know."""

from protocol.limits import SEND_BYTES


def idle(session):
    """True if every admitted line has been sent and acknowledged: only an empty window admits a line longer than it."""
    return session.room_for(SEND_BYTES + 1)
