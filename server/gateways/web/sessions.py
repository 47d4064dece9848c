"""The sessions of users who have logged in: in memory, with an end, a few of each user. Pure.

A session is known by a random token, of which only the digest is kept.
"""

import hashlib
import secrets
from collections import namedtuple

MAX_OF_USER = 20  # beyond it the oldest one ends
_TOKEN_BYTES = 32

# user: User as it was; ends: reading of the clock.
Session = namedtuple("Session", "user ends")


class Sessions:
    """Args: length_s: from the login to the end; clock: function () that returns seconds."""

    def __init__(self, length_s, clock):
        self.length_s = length_s
        self._clock = clock
        self._sessions = {}  # digest -> Session, the oldest first

    def __len__(self):
        return len(self._sessions)

    def begin(self, user):
        """Returns the token (str) of a new session of this User."""
        self._drop_ended()
        own = [digest for digest, session in self._sessions.items() if session.user.name == user.name]
        for digest in own[: max(0, len(own) + 1 - MAX_OF_USER)]:
            del self._sessions[digest]
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._sessions[_digest(token)] = Session(user, self._clock() + self.length_s)
        return token

    def user(self, token, users):
        """Returns the User of a session, as it is now, or None: there is none, or it has ended, or the user is not the
        same any more: removed, or with another password or role. users: dict from name to User."""
        session = self._sessions.get(_digest(token))
        if session is None:
            return None
        if session.ends <= self._clock() or users.get(session.user.name) != session.user:
            self.end(token)
            return None
        return session.user

    def end(self, token):
        """End a session, if there is one."""
        self._sessions.pop(_digest(token), None)

    def _drop_ended(self):
        now = self._clock()
        self._sessions = {digest: one for digest, one in self._sessions.items() if one.ends > now}


def _digest(token):
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
