"""What stands between this client and a session: each thing is said once, in words, until there is a session.

Loaded at the first failure: a board has the memory back as soon as there is a session.
"""

from pb_link.loading import forget
from protocol import const

# So many connections in a row end before there is a session until that is told: one may be an accident.
_IN_VAIN = const(3)
# So many different reasons are said, at most, until there is a session.
_MAX_SAID = const(8)


class Failures:
    """The failures since the last session. Args: link: has `config`, the present CONFIG record; client_id: str."""

    def __init__(self, link, client_id):
        self._link = link
        self._id = client_id
        self._last = None  # (kind, why, CONFIG record)
        self._said = ()
        self._in_vain = 0
        self._refused = False  # by a server, with its reason

    def met(self, kind, why, sure):
        """Say what has failed, if it is news. Returns True if it is to be told to the application as well.

        kind, why: see reasons.text; sure: False: a connection has ended before there was a session.
        """
        if sure:
            self._refused = self._refused or isinstance(why, str)
        else:
            self._in_vain += 1
            # A server that has refused us often may close the next connections at once, for a while.
            if self._refused or self._in_vain < _IN_VAIN:
                return False
        self._last = last = kind, why, self._link.config
        if last not in self._said and len(self._said) < _MAX_SAID:
            self._said += (last,)
            print("pb_link: " + self.reason())
        return True

    def reason(self):
        """See AppBase.reason. Without memory for the words: the code alone."""
        if not self._last:
            return ""
        try:
            from pb_link import reasons

            text = reasons.text(*self._last, self._id)
        except MemoryError:
            return "no session with the server (%s)" % self._last[1]
        finally:
            forget("pb_link.reasons")
        return text
