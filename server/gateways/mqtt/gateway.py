"""The gateway to an MQTT broker. It publishes the clients' lines, and sends them the messages published for them.

A line leaves the store when the broker has acknowledged its publication, and a message is acknowledged to the broker
when its line is in the store. So lines arrive at least once in both directions, whatever fails meanwhile. Each client
has a connection to the broker of its own (session.py), with its own will and its own session, in which its messages
wait. A client that takes no lines delays no other. docs/mqtt.md says how to use it.
"""

import asyncio
import collections
import random

from aiomqtt import MqttError

from server.gateways import interface
from server.gateways.mqtt.advice import advice
from server.gateways.mqtt.broker import connection, tls_context
from server.gateways.mqtt.session import BrokerSession
from server.gateways.mqtt.settings import read_password

CONNECTING = 4  # attempts to connect at the same time


class Gateway(interface.Gateway):
    """All clients' connections to the broker, one for each. Raises: SettingsError, OSError: the password or the
    certificates cannot be read."""

    def __init__(self, settings, host):
        super().__init__(settings, host)
        self.password()
        self.tls = tls_context(settings)
        self.connecting = asyncio.Semaphore(CONNECTING)
        self.counts = collections.Counter()
        self.log = host.log
        self._sessions = {}
        self._tasks = set()
        self._failed = None
        self._advised = set()
        self.mark = (("server", random.randbytes(8).hex()),)  # user property of what this process publishes at `status`
        host.subscribe(self._note)

    def password(self):
        """Returns the password, or None. Raises: SettingsError, OSError."""
        return read_password(self.settings, self.host.secrets)

    @classmethod
    async def validate(cls, settings, secrets):
        """Connect to the broker under a random client id, and leave no trace."""
        try:
            await _try_broker(settings, secrets)
        except (MqttError, OSError) as error:
            words = advice(error, settings.prefix)
            return f"{settings.host}:{settings.port} takes no connection: {error}{words and f': {words}' or ''}"

    async def run(self):
        """Run until cancelled. Then report every client as offline to the broker."""
        self._failed = asyncio.get_running_loop().create_future()
        try:
            self.served_changed()
            await self._failed
        finally:
            self._failed = None  # no new session begins
            for session in self._sessions.values():
                session.end()
            while self._tasks:
                await asyncio.wait(self._tasks)

    def served_changed(self):
        """Start and end connections to the broker, so that each client that may connect has one."""
        if self._failed is None:
            return
        ids = set(filter(self._takes, self.host.served()))
        for client_id in self._sessions.keys() - ids:
            self._sessions.pop(client_id).end(forget=True)
        for client_id in ids - self._sessions.keys():
            session = self._sessions[client_id] = BrokerSession(client_id, self)
            session.task = task = asyncio.create_task(session.run())
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _takes(self, client_id):
        return not self.settings.clients or client_id in self.settings.clients

    def _ended(self, task):
        self._tasks.discard(task)
        failed = None if task.cancelled() else task.exception()
        if failed and self._failed and not self._failed.done():
            self._failed.set_exception(failed)

    def _note(self, event, client_id, details):
        if event in ("connected", "disconnected") and client_id in self._sessions:
            self._sessions[client_id].changed.set()

    def advise(self, client_id, kind, words):
        """Log what a person has to change, once for each kind. words: None if there is nothing."""
        if words and kind not in self._advised:
            self._advised.add(kind)
            self.log("mqtt_advice", client_id, advice=words)

    def metrics(self):
        """See interface.Gateway."""
        return [(f"mqtt_{name}", kind, text, self.counts[name]) for name, kind, text in _METRICS]


_METRICS = (
    ("published_total", "counter", "Lines of clients that the broker has acknowledged"),
    ("received_total", "counter", "Messages for clients that are in the store"),
    ("repeated_total", "counter", "Messages that the broker says to have sent before: perhaps duplicates"),
    ("refused_total", "counter", "Messages for clients, announcements and values that are none"),
    ("lost_connections_total", "counter", "Connections to the broker that have ended, or did not come about"),
    ("connected", "gauge", "Connections to the broker"),
    ("in_flight", "gauge", "Publications that wait for the broker's acknowledgement"),
)


async def _try_broker(settings, secrets):
    """Connect once. Raises: MqttError, OSError, SettingsError."""
    name, tls = f"{settings.prefix}/check-{random.randbytes(4).hex()}", tls_context(settings)
    password = read_password(settings, secrets)
    async with connection(settings, name, (f"{name}/status", "", ()), tls=tls, password=password) as broker:
        await broker.leave(forget=True)
