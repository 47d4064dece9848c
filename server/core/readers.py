"""The reservation of clients' lines for readers. With two readers of one client, each would get a part of its lines."""

from protocol.errors import LocalProtocolError


class Readers:
    """A table of the readers that have reserved the lines of some clients. Any reader may read the other clients."""

    def __init__(self):
        self._reserved = {}  # reader (str) -> set of ids, or None: all clients

    def reserve(self, reader, ids=None):
        """Reserve the lines of these clients, or of all, for this reader from now on.

        If a reader reserves again, the new ids replace the old ones. Raises: LocalProtocolError if one of the
        clients is reserved for another reader. Then nothing changes.
        """
        ids = None if ids is None else set(ids)
        for other, theirs in self._reserved.items():
            if other != reader and _overlap(ids, theirs):
                raise LocalProtocolError(
                    "%s and %s would both read the lines of %s: give each its own clients"
                    % (other, reader, _common(ids, theirs))
                )
        self._reserved[reader] = ids

    def admit(self, client_id, reader=None):
        """Check that a reader may read the lines of this client. reader: one that has reserved lines, or None for an
        application. Raises: LocalProtocolError if they are reserved for another reader."""
        for other, ids in self._reserved.items():
            if other != reader and (ids is None or client_id in ids):
                raise LocalProtocolError(
                    "the lines of %s are read by %s: an application may only write to it" % (client_id, other)
                )


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
