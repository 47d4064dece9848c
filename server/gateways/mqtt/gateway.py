"""The gateway to an MQTT broker. It publishes the clients' lines, and sends them the messages published for them.

A line leaves the store when the broker has acknowledged its publication, and a message is acknowledged to the broker
when its line is in the store. So lines arrive at least once in both directions, whatever fails meanwhile. Each client
has a connection to the broker of its own (line_session.py), with its own will and its own session, in which its
messages wait, and each of its channels has one too (channel_session.py; ask_session.py and serve_session.py for
requests; sensor_session.py for the samples of its sensors). A client that takes no lines delays no other, and a channel
that is not read delays no other. docs/mqtt.md says how to use it.
"""

import asyncio
import collections
import random

from aiomqtt import MqttError

from protocol.errors import StoreError
from server.core.sensors import SAMPLES
from server.gateways import interface
from server.gateways.mqtt.advice import advice
from server.gateways.mqtt.ask_session import AskSession
from server.gateways.mqtt.broker import connection, tls_context
from server.gateways.mqtt.channel_session import ChannelSession
from server.gateways.mqtt.line_session import LineSession
from server.gateways.mqtt.sensor_session import SensorSession
from server.gateways.mqtt.serve_session import ServeSession
from server.gateways.mqtt.settings import asked_channels, mapped_channels, read_password, served_sensors

CONNECTING = 4  # attempts to connect at the same time
MAX_CHANNELS = 16  # of a client, each with a connection to the broker
CHANNELS = "mqtt_channels"  # name of the note with the channels that a client has used


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
        self._mapped = {number: ChannelSession for number in mapped_channels(settings.channels)}
        for numbers, kind in zip(asked_channels(settings), (AskSession, ServeSession)):
            self._mapped.update(dict.fromkeys(numbers, kind))
        self._mapped[SAMPLES] = SensorSession
        self._with_sensors = served_sensors(settings.sensors)
        self._sessions = {}  # client id -> LineSession
        self._channels = {}  # client id -> {channel: its session}
        self._used = {}  # client id -> set of channels that it has used in this process, mapped or not
        self._refused = {}  # client id -> set of channels that were one too many: each is told once
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
            for client_id, session in self._sessions.items():
                session.end()
                for channel in self._channels[client_id].values():
                    channel.end()
            while self._tasks:
                await asyncio.wait(self._tasks)

    def served_changed(self):
        """Start and end connections to the broker, so that each client that may connect has one."""
        if self._failed is None:
            return
        ids = set(filter(self._takes, self.host.served()))
        for client_id in self._sessions.keys() - ids:
            self._sessions.pop(client_id).end(forget=True)
            self._refused.pop(client_id, None)
            channels = self._channels.pop(client_id)
            for channel in channels.values():
                channel.end(forget=True)
            self.host.more_files(-len(channels))
        for client_id in ids - self._sessions.keys():
            self._sessions[client_id], self._channels[client_id] = LineSession(client_id, self), {}
            self._start(self._sessions[client_id])

    def _start(self, session):
        session.task = task = asyncio.create_task(session.run())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def restore_channels(self, client_id, notes):
        """Begin with the channels that the client has used before. notes: its Notes, which are loaded."""
        for number in sorted({*_numbers(notes), *self._used.get(client_id, ())}):
            self._use_channel(client_id, number)

    def _use_channel(self, client_id, number):
        """The client has used this channel: it has a session from now on, also after a restart of the server."""
        found = self._channels.get(client_id)
        if self._failed is None or found is None or not self._maps(client_id, number):
            return
        if number not in found:
            if len(found) >= MAX_CHANNELS:
                self._refuse(client_id, number)
                return
            found[number] = self._mapped[number](number, self._sessions[client_id], self)
            self._start(found[number])
            self.host.more_files(1)
        notes = self.host.registry.get(client_id).notes
        numbers = _numbers(notes)
        if number not in numbers:
            try:
                notes.put(CHANNELS, " ".join(map(str, sorted({*numbers, number}))), at_once=True)
            except StoreError:
                pass  # the failure is told; when the client is claimed again, "channel_used" comes again

    def _refuse(self, client_id, number):
        refused = self._refused.setdefault(client_id, set())
        if number not in refused:
            refused.add(number)
            self.counts["refused_total"] += 1
            self.log("mqtt_refused", client_id, what="channel", channel=number, reason=_TOO_MANY)

    def _maps(self, client_id, number):
        """True if a channel of this client has a session."""
        if number == SAMPLES and self._with_sensors is not None and client_id not in self._with_sensors:
            return False
        return number in self._mapped

    def _takes(self, client_id):
        return not self.settings.clients or client_id in self.settings.clients

    def _ended(self, task):
        self._tasks.discard(task)
        failed = None if task.cancelled() else task.exception()
        if failed and self._failed and not self._failed.done():
            self._failed.set_exception(failed)

    def _note(self, event, client_id, details):
        if event == "channel_used":
            self._used.setdefault(client_id, set()).add(details["channel"])
            self._use_channel(client_id, details["channel"])
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


_TOO_MANY = f"the client uses {MAX_CHANNELS} others, and each has a connection to the broker: name fewer in channels"


def _numbers(notes):
    """Returns the channels (list) of a client's Notes."""
    return [int(word) for word in notes.get(CHANNELS).split() if word.isdecimal()]


_METRICS = (
    ("published_total", "counter", "Lines, messages and readings of clients that the broker has acknowledged"),
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
