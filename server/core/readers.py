"""The reservation of clients' lines and channels for readers. With two readers of one, each would get a part of it."""

from protocol.errors import LocalProtocolError


class Readers:
    """A table of the readers that have reserved channels of some clients. Channel 0 has the lines. Any reader may read
    the others."""

    def __init__(self):
        self._reserved = {}  # reader (str) -> (set of ids, or None: all clients; set of channels)

    def reserve(self, reader, ids=None, channels=(0,)):
        """Reserve these channels of these clients, or of all, for this reader from now on.

        If a reader reserves again, the new ids and channels replace the old ones. Raises: LocalProtocolError if one of
        them is reserved for another reader. Then nothing changes.
        """
        ids = None if ids is None else set(ids)
        channels = set(channels)
        for other, (theirs, their_channels) in self._reserved.items():
            both = channels & their_channels
            if other != reader and both and _overlap(ids, theirs):
                raise LocalProtocolError(
                    "%s and %s would both read the %s of %s: give each its own clients"
                    % (other, reader, _what(min(both)), _common(ids, theirs))
                )
        self._reserved[reader] = ids, channels

    def admit(self, client_id, reader=None, channel=0):
        """Check that a reader may read this channel of this client. reader: one that has reserved channels, or None for
        an application. Raises: LocalProtocolError if it is reserved for another reader."""
        for other, (ids, channels) in self._reserved.items():
            if other != reader and channel in channels and (ids is None or client_id in ids):
                raise LocalProtocolError(
                    "the %s of %s are read by %s: an application may only %s"
                    % (_what(channel), client_id, other, "send on it" if channel else "write to it")
                )


def _what(channel):
    return "messages on channel %d" % channel if channel else "lines"


def _overlap(ids, others):
    """Returns True if a client is in both. None: all clients."""
    if ids is None or others is None:
        return ids != set() and others != set()
    return bool(ids & others)


def _common(ids, others):
    if ids is None and others is None:
        return "all clients"
    both = others if ids is None else ids if others is None else ids & others
    return ", ".join(sorted(both))
