"""Sessions: who uses which bus. Pure: time is an argument, in seconds of a clock that never goes back.

A session ends when it is closed, or when nothing was called for `expiry_s`. A call that is under way keeps it.
"""

import secrets
from errno import EAGAIN, ESTALE

from remote_i2c.errors import CALLER, BusError

EXPIRY_S = 5.0
MAX_SESSIONS = 64
MAX_OF_PEER = 16
# Calls of one session that are under way.
MAX_CALLS = 8


class Session:
    """Who uses a bus. Made by Sessions.open. `with session` is a call of it.

    id: str; bus: SharedBus; peer: str: an address without its port; last_s: when it was used last; calls: under way."""

    def __init__(self, bus, peer, now_s, max_calls):
        self.id = secrets.token_hex(16)
        self.bus = bus
        self.peer = peer
        self.last_s = now_s
        self.calls = 0
        self._max_calls = max_calls

    def __enter__(self):
        """A call is under way until the block ends. Raises: BusError(EAGAIN)."""
        if self.calls >= self._max_calls:
            raise _too_many(f"{self.calls} calls of this client are under way already")
        self.calls += 1
        return self

    def __exit__(self, *error):
        self.calls -= 1


class Sessions:
    """Args: expiry_s, max_sessions, max_of_peer, max_calls: see above."""

    def __init__(
        self, *, expiry_s=EXPIRY_S, max_sessions=MAX_SESSIONS, max_of_peer=MAX_OF_PEER, max_calls=MAX_CALLS
    ):  # fmt: skip
        self.expiry_s = expiry_s
        self._max_sessions = max_sessions
        self._max_of_peer = max_of_peer
        self._max_calls = max_calls
        self._sessions = {}

    def __len__(self):
        return len(self._sessions)

    def open(self, bus, peer, now_s):
        """Returns a new Session. Raises: BusError(EAGAIN): there are too many."""
        if len(self._sessions) >= self._max_sessions:
            raise _too_many(f"{len(self._sessions)} clients are here already")
        of_peer = sum(session.peer == peer for session in self._sessions.values())
        if of_peer >= self._max_of_peer:
            raise _too_many(f"{of_peer} clients of {peer} are here already")
        session = Session(bus, peer, now_s, self._max_calls)
        self._sessions[session.id] = session
        return session

    def use(self, session_id, now_s):
        """Returns a Session that is used now. Raises: BusError(ESTALE): there is none of this id, or no longer."""
        session = self._sessions.get(session_id)
        if session is None or self._is_over(session, now_s):
            raise BusError(ESTALE, "the session is unknown or has expired: open the bus again", place=CALLER)
        session.last_s = now_s
        return session

    def close(self, session_id):
        """Returns the Session that is closed, or None: there was none."""
        return self._sessions.pop(session_id, None)

    def expire(self, now_s):
        """Returns the sessions that have just expired."""
        found = [session for session in self._sessions.values() if self._is_over(session, now_s)]
        for session in found:
            del self._sessions[session.id]
        return found

    def _is_over(self, session, now_s):
        return not session.calls and now_s - session.last_s >= self.expiry_s


def _too_many(text):
    return BusError(EAGAIN, f"{text}: try again later", place=CALLER)
