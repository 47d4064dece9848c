"""The addresses of the server, if the settings have several: one after the other is tried until there is a session, and
after an outage the one that had it last is tried first. Loaded only then.

    no connection, no session, a refusal,        the next address, and the first one behind the last
    a server that says farewell
    a connection that ends otherwise             the same address again: Wi-Fi or the ESP8266 may have failed
    a new epoch of the ESP8266                   the same address again

The ESP8266 knows one address. A CONFIG record tells it the next one.
"""

from protocol.control import BAD_SERVER


def load(link, records):
    """Have a Link that does not run yet use the addresses of these CONFIG records. It begins with the first one."""
    Addresses(link, records)


class Addresses:
    """Args: link: Link that does not run yet; records: list of CONFIG records (bytes), one for each address, of which
    the link has the first."""

    def __init__(self, link, records):
        self._link = link
        self._records = records
        self._at = 0  # of the present one
        self._failures = 0
        self._note, self._tell = link.failed, link.notifier.failed
        link.failed = self.failed
        link.notifier.failed = self.tell

    def failed(self, kind, why, sure):
        """As Link.failed, for the present address; then it is the next one's turn."""
        if kind == BAD_SERVER:
            self._failures += 1
        self._note(kind, why, sure)
        if kind == BAD_SERVER:
            self._at = (self._at + 1) % len(self._records)
            self._link.config = self._records[self._at]
            self._link.send_config = True

    def tell(self, kind):
        """As Notifier.failed, once all addresses have failed."""
        if kind != BAD_SERVER or self._failures >= len(self._records):
            self._tell(kind)
