"""Reports clients whose lines wait in the store while the application reads none of them.

Without a report, such an application looks healthy until its clients' `write` waits because the inbox is full.
"""

from primitives.timeout import Timeout
from protocol.errors import LocalProtocolError

LOOK_MS = 10000  # between two looks at all clients
UNREAD_MS = 60000  # lines have waited, and none was read for this long: it is reported, up to LOOK_MS later

_NEVER = "the application has not asked for a line of this client since the server started"
_NO_MORE = "the application has not asked for the next line"
_NOWHERE = "no process that shares the store has asked for the next line"


class UnreadLines:
    """Watches the clients of a Registry, whose lines are in the store. Call `look` regularly, as Timeout requires."""

    def __init__(self, registry, store):
        self._registry = registry
        self._unread = store.unread
        self._waits = {}  # id -> _Wait of the clients with lines
        self._pause = Timeout(LOOK_MS)

    def look(self):
        """Look at all clients if it is time. Tells "unread" once for each time that lines wait and none is read."""
        if self._pause.expired():
            self._pause.restart()
            for connection in self._registry:
                self._look_at(connection)

    def _look_at(self, connection):
        client_id = connection.client_id
        lines, first = self._count(client_id)
        wait = self._waits.get(client_id)
        if not lines:
            self._waits.pop(client_id, None)
        elif wait is None or wait.first != first:
            self._waits[client_id] = _Wait(first)
        elif not wait.told and wait.time.elapsed() >= UNREAD_MS:
            wait.told = True
            self._tell(connection, lines, wait.time.elapsed() // 1000)

    def _count(self, client_id):
        """Returns (number of lines, number of the oldest)."""
        try:
            return self._unread(client_id)
        except Exception:  # this process has not used the client, or the store has failed, which is reported elsewhere
            return 0, 0

    def _tell(self, connection, lines, waited_s):
        try:
            self._registry.admit_reader(connection.client_id)
        except LocalProtocolError:
            return  # a gateway reads them, and reports itself what it waits for
        why = _NO_MORE if connection.was_read else _NEVER if self._registry.reads is None else _NOWHERE
        self._registry.events.tell("unread", connection.client_id, lines=lines, waited_s=waited_s, why=why)


class _Wait:
    """Lines of one client that wait. first: number of the oldest one."""

    def __init__(self, first):
        self.first = first
        self.time = Timeout(UNREAD_MS)
        self.told = False
