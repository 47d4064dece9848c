"""One client's session at the broker, over all connections to it.

A line leaves the store when the broker has acknowledged all its publications: at `up`, and for each entity of Home
Assistant whose value is in it. The next line is published then, so none is ahead of one that the broker has refused.
"""

import asyncio
import random
import time

from aiomqtt import MqttCodeError, MqttError

from protocol.errors import StoreError
from protocol.lines import encode_line
from server.gateways.mqtt.advice import TAKEN_OVER, advice, cause, reason_code, taken_over
from server.gateways.mqtt.announcement import is_announcement
from server.gateways.mqtt.broker import TooLarge, connection
from server.gateways.mqtt.entities import NOTE, Entities
from server.gateways.mqtt.lines import LinePublisher
from server.gateways.mqtt.settings import TITLE
from server.gateways.mqtt.topics import base_topic
from server.gateways.setting import SettingsError

FIRST_S = 0.5  # before the second attempt; each further one waits twice as long, less a random half
LONGEST_S = 60.0
STABLE_S = 10.0  # a connection that lasted this long ends the back-off, as does one that carried a line
LEAVE_S = 3.0  # at the end, to say that the client is offline
AHEAD = 20  # lines that the broker has acknowledged and whose removal from the store is not yet on the disk

_NO_REASON = 0x80  # "Unspecified error", which paho makes of the end of a connection
FAULTS = (MqttError, OSError, StoreError, SettingsError)


class BrokerSession:
    """Args: gateway: Gateway."""

    def __init__(self, client_id, gateway):
        self.client_id = client_id
        self.base = base_topic(gateway.settings.prefix, client_id)
        self.changed = asyncio.Event()  # the client has come or gone
        self.task = None
        self._gateway = gateway
        self._settings = gateway.settings
        self._counts = gateway.counts
        self._connection = gateway.host.registry.get(client_id)
        self._entities = Entities(client_id, self.base, self._settings.discovery)
        self._restored = False  # the entities of the store are known
        self._lines = LinePublisher(self.base, self._log)
        self._has_told_status = False
        self._is_shared = False  # another server has published the status before the present connection
        self._since = None  # when the present connection to the broker began
        self._current = None  # ((store, number), task) of the line that is being published
        self._moved = False  # a line was moved, in either direction, over the present connection
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
            self._moved = self._is_shared = False
            try:
                await self._live()
            except* FAULTS as faults:
                fault = cause(faults)
            finally:
                await self._abandon()
            if self._ending:
                break
            if self._moved or self._since is not None and time.monotonic() - self._since >= STABLE_S:
                pause_s = FIRST_S
            if reason_code(fault) == TAKEN_OVER or self._is_shared:  # they would take it from each other all the time
                pause_s = LONGEST_S
            wait_s = random.uniform(0.5, 1) * pause_s
            pause_s = min(2 * pause_s, LONGEST_S)
            self._counts["lost_connections_total"] += 1
            self._log("mqtt_lost", error=_reason(fault), again_s=round(wait_s, 1))
            self._gateway.advise(self.client_id, reason_code(fault), advice(fault, self.base))
            await asyncio.sleep(wait_s)

    def _log(self, event, **details):
        self._gateway.log(event, self.client_id, **details)

    async def _live(self):
        """Serve one connection to the broker until it ends. Raises the cause."""
        gateway = self._gateway
        will = (f"{self.base}/status", "offline", gateway.mark)
        connecting = connection(
            self._settings, self.base, will, tls=gateway.tls, password=gateway.password(), connecting=gateway.connecting
        )
        async with connecting as broker:
            self._since = time.monotonic()
            self._counts["connected"] += 1
            self._log("mqtt_connected", host=self._settings.host, port=self._settings.port)
            try:
                await self._look_for_another(broker)
                await self._work(broker)
            finally:
                self._counts["connected"] -= 1
                self._counts["repeated_total"] += broker.repeated
                self._counts["refused_total"] += broker.overrun
                if self._ending:
                    await self._leave(broker)

    async def _leave(self, broker):
        """Disconnect cleanly within LEAVE_S. Otherwise the broker publishes the will."""
        leaving = asyncio.create_task(self._take_leave(broker))
        ended = asyncio.create_task(broker.ended())
        await asyncio.wait((leaving, ended), timeout=LEAVE_S, return_when=asyncio.FIRST_COMPLETED)
        if not broker.left:
            self._log("mqtt_lost", error="no leave could be taken of the broker")
        leaving.cancel()
        ended.cancel()
        await asyncio.wait((leaving, ended))
        for task in (leaving, ended):
            task.cancelled() or task.exception()  # it has been logged

    async def _take_leave(self, broker):
        if self._current is not None:
            await self._commit_line()
        await self._put_status(broker, b"offline")
        await broker.leave(self._forget)

    async def _abandon(self):
        """Wait for the end of the publication of a line whose connection has ended. The line stays in the store."""
        if self._current is not None:
            (_, task), self._current = self._current, None
            await asyncio.wait((task,))  # Broker.drop has ended what it waits for
            task.cancelled() or task.exception()  # it has been handled

    async def _work(self, broker):
        await broker.subscribe_for_good(f"{self.base}/down")
        async with asyncio.TaskGroup() as group:
            group.create_task(broker.ended())  # the reader of messages misses it while a client takes none
            group.create_task(self._tell_status(broker))
            group.create_task(self._take_messages(broker))
            group.create_task(self._publish_lines(broker))

    async def _look_for_another(self, broker):
        """Find out whether another server has published this client's status: Mosquitto 2.0 does not tell it when it
        gives the session to another."""
        if self._has_told_status:
            found = await broker.retained_properties(f"{self.base}/status")
            self._is_shared = found.get("server", self._gateway.mark[0][1]) != self._gateway.mark[0][1]
        if self._is_shared:
            self._gateway.advise(self.client_id, TAKEN_OVER, taken_over(self.base))

    async def _put_status(self, broker, status):
        await broker.publish(f"{self.base}/status", status, retain=True, properties=self._gateway.mark)
        self._has_told_status = True

    async def _tell_status(self, broker):
        told = None
        while True:
            self.changed.clear()
            online = self._connection.status()
            if online != told:
                await self._put_status(broker, b"online" if online else b"offline")
                told = online
            elif online:
                await self.changed.wait()
            else:
                await self._connection.wait_connected()

    # From the client

    async def _publish_lines(self, broker):
        if self._settings.discovery:
            await self._restore()
            for publication, number in self._entities.all():  # the broker may have forgotten it
                await self._publish(broker, publication, number)
        while True:
            store, number, line = await self._connection.next_after(None, 0, 0, TITLE)
            self._current = (store, number), asyncio.create_task(self._publish_line(broker, (store, number), line))
            await self._commit_line()

    async def _restore(self):
        """Restore the entities from the store, once."""
        if not self._restored:
            await self._connection.load(self._gateway.host.store)
            try:
                self._entities.restore(self._connection.notes.get(NOTE))
            except ValueError as error:  # of another version: the client has to announce them again
                self._refuse("announcements of the store", error)
            self._restored = True

    async def _commit_line(self):
        """Remove the line from the store once all is published. If this is cancelled, call it again."""
        done, task = self._current
        await asyncio.shield(task)
        await self._connection.done_with(done, AHEAD)
        self._moved = True
        self._counts["published_total"] += 1
        self._current = None

    async def _publish_line(self, broker, place, line):
        """Publish what follows from a line. place: (store, number)."""
        self._counts["in_flight"] += 1
        try:
            if not self._settings.discovery:
                await self._lines.publish(broker, place, line)
            elif not (is_announcement(line) and await self._announce(broker, place[1], line)):
                await self._lines.publish(broker, place, line)
                if len(self._entities):
                    await self._publish_values(broker, place, line)
        finally:
            self._counts["in_flight"] -= 1

    async def _announce(self, broker, number, line):
        """Take an announcement. Returns False if it is none: it is not lost, but published like any other line."""
        try:
            publications = self._entities.announce(line)
            self._connection.notes.put(NOTE, self._entities.note())  # safe with the removal of the line
        except ValueError as error:
            self._refuse("announcement", error)
            return False
        taken = [await self._publish(broker, publication, number) for publication in publications]
        return all(taken)

    async def _publish_values(self, broker, place, line):
        publications, reasons = self._entities.values(line)
        for publication in publications:
            if not self._lines.is_done(place, publication.entity):
                await self._publish(broker, publication, place[1])
                self._lines.note_done(place, publication.entity)
        for reason in reasons:
            self._refuse("value", reason)

    async def _publish(self, broker, publication, number):
        """Publish an announcement or a value. Returns False if the broker does not take one of this size."""
        properties = () if number is None else (("number", str(number)),)
        try:
            await broker.publish(
                publication.topic, publication.payload, retain=publication.retain, properties=properties
            )
        except TooLarge as error:
            self._refuse(publication.what, error)
            if publication.what == "announcement" and publication.entity is not None:
                self._entities.forget(publication.entity)
                self._connection.notes.put(NOTE, self._entities.note())
            return False
        self._entities.acknowledged(publication, number)
        return True

    # To the client

    async def _take_messages(self, broker):
        async for message in broker.messages:
            if message.topic.value != f"{self.base}/down":  # of a subscription whose end the broker has missed
                broker.ack(message)
                continue
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
        self._log("mqtt_refused", what=what, reason=str(why))


def message_line(payload):
    """Returns the line (str) in the payload (bytes). Raises: ValueError that says why the payload is not a line."""
    try:
        line = payload.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: {error.reason} at byte {error.start}") from None
    encode_line(line)
    return line


def _reason(fault):
    if isinstance(fault, MqttCodeError) and reason_code(fault) == _NO_REASON:
        return "the connection has ended, and the broker has not said why"
    return str(fault) or type(fault).__name__
