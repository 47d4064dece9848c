"""The gateway to an MQTT broker. It publishes the clients' lines, and sends them the messages published for them.

    PREFIX/ID/up        the client's lines, QoS 1
    PREFIX/ID/down      lines for the client
    PREFIX/ID/status    "online" or "offline": retained, and the last will

A line leaves the store when the broker has acknowledged its publication, and a message is acknowledged to the broker
when its line is in the store. So lines arrive at least once in both directions, whatever fails meanwhile. Each client
has a connection to the broker of its own, with its own will and its own session, in which its messages wait. A client
that takes no lines delays no other. docs/mqtt.md says how to use it.
"""

import asyncio
import collections
import random
import time

from aiomqtt import MqttCodeError, MqttError

from protocol.errors import StoreError
from protocol.lines import encode_line
from server.gateways import interface
from server.gateways.mqtt.broker import connection, tls_context
from server.gateways.mqtt.home_assistant import MAX_ENTITIES, discovery_message, is_announcement
from server.gateways.mqtt.settings import TITLE, read_password
from server.gateways.setting import SettingsError

CONNECTING = 4  # attempts to connect at the same time
FIRST_S = 0.5  # before the second attempt; each further one waits twice as long, less a random half
LONGEST_S = 60.0
STABLE_S = 10.0  # a connection that lasted this long ends the back-off, as does one that carried a line
LEAVE_S = 3.0  # at the end, to say that the client is offline

_NO_REASON = 0x80  # "Unspecified error", which paho makes of the end of a connection
_FAULTS = (MqttError, OSError, StoreError, SettingsError)


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
            return f"{settings.host}:{settings.port} takes no connection: {error}"

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

    def metrics(self):
        """See interface.Gateway."""
        return [(f"mqtt_{name}", kind, text, self.counts[name]) for name, kind, text in _METRICS]


_METRICS = (
    ("published_total", "counter", "Lines of clients that the broker has acknowledged"),
    ("received_total", "counter", "Messages for clients that are in the store"),
    ("repeated_total", "counter", "Messages that the broker says to have sent before: perhaps duplicates"),
    ("refused_total", "counter", "Messages for clients, and announcements, that are none"),
    ("lost_connections_total", "counter", "Connections to the broker that have ended, or did not come about"),
    ("connected", "gauge", "Connections to the broker"),
    ("in_flight", "gauge", "Publications that wait for the broker's acknowledgement"),
)


class BrokerSession:
    """One client's session at the broker, over all connections to it."""

    def __init__(self, client_id, gateway):
        self.client_id = client_id
        self.base = base_topic(gateway.settings.prefix, client_id)
        self.changed = asyncio.Event()  # the client has come or gone
        self.task = None
        self._gateway = gateway
        self._settings = gateway.settings
        self._counts = gateway.counts
        self._connection = gateway.host.registry.get(client_id)
        self._since = None  # when the present connection to the broker began
        self._oldest = None  # ((store, number), task) of the oldest line in flight, if it has been looked at
        self._moved = False  # a line was moved, in either direction, over the present connection
        self._entities = set()  # topics that the client has announced
        self._ending = self._forget = False

    def end(self, forget=False):
        """End the session for good. forget: also delete what the broker keeps for the client."""
        self._ending = True
        self._forget = forget
        self.task.cancel()

    async def run(self):
        pause_s = FIRST_S
        while not self._ending:
            fault = self._since = None
            self._moved = False
            try:
                await self._live()
            except* _FAULTS as faults:
                fault = _first(faults)
            if self._ending:
                break
            if self._moved or self._since is not None and time.monotonic() - self._since >= STABLE_S:
                pause_s = FIRST_S
            wait_s = random.uniform(0.5, 1) * pause_s
            pause_s = min(2 * pause_s, LONGEST_S)
            self._counts["lost_connections_total"] += 1
            self._gateway.log("mqtt_lost", self.client_id, error=_reason(fault), again_s=round(wait_s, 1))
            await asyncio.sleep(wait_s)

    async def _live(self):
        """Serve one connection to the broker until it ends. Raises the cause."""
        will = (f"{self.base}/status", "offline")
        gateway = self._gateway
        connecting = connection(
            self._settings, self.base, will, tls=gateway.tls, password=gateway.password(), connecting=gateway.connecting
        )
        async with connecting as broker:
            self._since = time.monotonic()
            self._counts["connected"] += 1
            self._gateway.log("mqtt_connected", self.client_id, host=self._settings.host, port=self._settings.port)
            sent = asyncio.Queue(self._settings.in_flight)
            self._oldest = None
            try:
                await self._work(broker, sent)
            finally:
                self._counts["connected"] -= 1
                self._counts["repeated_total"] += broker.repeated
                self._counts["refused_total"] += broker.overrun
                if self._ending:
                    await self._leave(broker, sent)

    async def _leave(self, broker, sent):
        """Disconnect cleanly within LEAVE_S. Otherwise the broker publishes the will."""
        leaving = asyncio.create_task(self._take_leave(broker, sent))
        ended = asyncio.create_task(_until_end(broker))
        await asyncio.wait((leaving, ended), timeout=LEAVE_S, return_when=asyncio.FIRST_COMPLETED)
        if not broker.left:
            self._gateway.log("mqtt_lost", self.client_id, error="no leave could be taken of the broker")
        leaving.cancel()
        ended.cancel()
        await asyncio.wait((leaving, ended))
        for task in (leaving, ended):
            task.cancelled() or task.exception()  # it has been logged

    async def _take_leave(self, broker, sent):
        await self._commit_lines(sent, lambda: self._oldest is None and sent.empty())
        await broker.publish(f"{self.base}/status", "offline", 1, True)
        await broker.leave(self._forget)

    async def _work(self, broker, sent):
        await broker.subscribe_for_good(f"{self.base}/down")
        async with asyncio.TaskGroup() as group:
            group.create_task(_until_end(broker))
            group.create_task(self._tell_status(broker))
            group.create_task(self._take_messages(broker))
            group.create_task(self._publish_lines(broker, sent))
            group.create_task(self._commit_lines(sent))

    async def _tell_status(self, broker):
        told = None
        while True:
            self.changed.clear()
            online = self._connection.status()
            if online != told:
                state = "online" if online else "offline"
                await asyncio.shield(await broker.start_publish(f"{self.base}/status", state, retain=True))
                told = online
            elif online:
                await self.changed.wait()
            else:
                await self._connection.wait_connected()

    # From the client

    async def _publish_lines(self, broker, sent):
        """Publish lines, and put ((store, number), task that ends with the acknowledgement) into `sent` for each."""
        start = 0
        while True:
            store, number, line = await self._connection.next_after(None, 0, start, TITLE)
            start = number + 1
            topic, payload, retain = self._publication(line)
            task = await broker.start_publish(topic, payload, retain=retain, number=number)
            self._counts["in_flight"] += 1
            task.add_done_callback(self._landed)
            await sent.put(((store, number), task))

    def _landed(self, task):
        self._counts["in_flight"] -= 1

    async def _commit_lines(self, sent, all_done=lambda: False):
        """Remove lines from the store, in their order, once the broker has acknowledged them.

        The next call continues where a cancelled one stopped.
        """
        while not all_done():
            if self._oldest is None:
                self._oldest = await sent.get()
            done, task = self._oldest
            await asyncio.shield(task)
            self._moved = True
            self._counts["published_total"] += 1
            await self._connection.done_with(done, self._settings.in_flight)
            self._oldest = None

    def _publication(self, line):
        """Returns (topic, payload, retain) for a line from the client."""
        if self._settings.discovery and is_announcement(line):
            try:
                topic, payload = discovery_message(line, self.client_id, self.base, self._settings.discovery)
                self._entities.add(topic) if payload else self._entities.discard(topic)
                if len(self._entities) > MAX_ENTITIES:
                    self._entities.discard(topic)
                    raise ValueError(f"the client has announced {MAX_ENTITIES} entities, which is the most")
                return topic, payload, True
            except ValueError as error:  # it is not lost: it is published like any other line
                self._refuse("announcement", error)
        return f"{self.base}/up", line, False

    # To the client

    async def _take_messages(self, broker):
        async for message in broker.messages:
            try:
                await self._connection.write(message_line(message.payload), wait=False)
            except ValueError as error:  # it is no line, or longer than the client takes
                self._refuse("message", error)
            else:
                self._moved = True
                self._counts["received_total"] += 1
            broker.ack(message)

    def _refuse(self, what, why):
        self._counts["refused_total"] += 1
        self._gateway.log("mqtt_refused", self.client_id, what=what, reason=str(why))


def base_topic(prefix, client_id):
    """Returns the topic above `up`, `down` and `status`. Characters not allowed in a level become %XX, as in a URL."""
    return f"{prefix}/{''.join(map(_level_character, client_id))}"


def _level_character(character):
    if character in "/+#%" or not character.isprintable():
        return "".join(f"%{byte:02X}" for byte in character.encode())
    return character


def message_line(payload):
    """Returns the line (str) in the payload (bytes). Raises: ValueError that says why the payload is not a line."""
    try:
        line = payload.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: {error.reason} at byte {error.start}") from None
    encode_line(line)
    return line


async def _until_end(broker):
    """Raise the cause when the connection has ended. The reader of messages misses it while a client takes none."""
    try:
        await broker.ended()
    except _FAULTS:
        raise
    except Exception as error:  # from paho, about what the broker sends
        raise MqttError(f"{type(error).__name__}: {error}") from None


async def _try_broker(settings, secrets):
    """Connect once. Raises: MqttError, OSError, SettingsError."""
    name, tls = f"{settings.prefix}/check-{random.randbytes(4).hex()}", tls_context(settings)
    password = read_password(settings, secrets)
    async with connection(settings, name, (f"{name}/status", ""), tls=tls, password=password) as broker:
        await broker.leave(forget=True)


def _first(fault):
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return fault


def _reason(fault):
    """Returns the cause of a fault as text: what ended the connection, not the task that noticed it."""
    while isinstance(fault, MqttError) and fault.__cause__ is not None:
        fault = fault.__cause__
    if isinstance(fault, MqttCodeError) and getattr(fault.rc, "value", 0) == _NO_REASON:
        return "the connection has ended, and the broker has not said why"
    return str(fault) or type(fault).__name__
