"""The session at the broker of one client's lines, with its status and its entities of Home Assistant.

A line leaves the store when the broker has acknowledged all its publications: at `up`, and for each entity of Home
Assistant whose value is in it.
"""

import asyncio

from protocol.lines import encode_line
from server.gateways.mqtt.advice import TAKEN_OVER, taken_over
from server.gateways.mqtt.announcement import is_announcement
from server.gateways.mqtt.broker import TooLarge
from server.gateways.mqtt.entities import NOTE, Entities
from server.gateways.mqtt.lines import LinePublisher
from server.gateways.mqtt.session import AHEAD, BrokerSession
from server.gateways.mqtt.settings import TITLE
from server.gateways.mqtt.topics import base_topic


class LineSession(BrokerSession):
    """Args: gateway: Gateway."""

    def __init__(self, client_id, gateway):
        super().__init__(client_id, base_topic(gateway.settings.prefix, client_id), gateway)
        self.changed = asyncio.Event()  # the client has come or gone
        self._entities = Entities(client_id, self.base, self._settings.discovery)
        self._restored = False  # what the store has of the gateway is known
        self._lines = LinePublisher(self.base, self._log)
        self._has_told_status = False

    @property
    def device(self):
        """Members of the client's announcement of the device, or {}."""
        return self._entities.device

    def _will(self):
        return f"{self.base}/status", "offline", self._gateway.mark

    async def _say_goodbye(self, broker):
        await self._put_status(broker, b"offline")

    async def _done_with(self, place):
        await self._connection.done_with(place, AHEAD)

    async def _work(self, broker):
        await self._look_for_another(broker)
        await broker.subscribe_for_good(f"{self.base}/down")
        async with asyncio.TaskGroup() as group:
            group.create_task(broker.ended())  # the reader of messages misses it while a client takes none
            group.create_task(self._tell_status(broker))
            group.create_task(self._take_messages(broker))
            group.create_task(self._publish_lines(broker))

    async def _look_for_another(self, broker):
        """Find out whether another server has published this client's status: Mosquitto 2.0 does not tell it when it
        gives the session to another."""
        self.is_shared = False
        if self._has_told_status:
            found = await broker.retained_properties(f"{self.base}/status")
            self.is_shared = found.get("server", self._gateway.mark[0][1]) != self._gateway.mark[0][1]
        if self.is_shared:
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
        await self._restore()
        for publication, number in self._entities.all():  # the broker may have forgotten it
            await self._publish(broker, publication, number)
        while True:
            store, number, line = await self._connection.next_after(None, 0, 0, TITLE)
            await self._publish_in_turn((store, number), self._publish_line(broker, (store, number), line))

    async def _restore(self):
        """Restore from the store, once: the entities, and the channels that the client has used."""
        if self._restored:
            return
        await self._connection.load(self._gateway.host.store)
        notes = self._connection.notes
        if self._settings.discovery:
            try:
                self._entities.restore(notes.get(NOTE))
            except ValueError as error:  # of another version: the client has to announce them again
                self._refuse("announcements of the store", error)
        self._gateway.restore_channels(self.client_id, notes)
        self._restored = True

    async def _publish_line(self, broker, place, line):
        """Publish what follows from a line. place: (store, number)."""
        if not self._settings.discovery:
            await self._lines.publish(broker, place, line)
        elif not (is_announcement(line) and await self._announce(broker, place[1], line)):
            await self._lines.publish(broker, place, line)
            if len(self._entities):
                await self._publish_values(broker, place, line)

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


def message_line(payload):
    """Returns the line (str) in the payload (bytes). Raises: ValueError that says why the payload is not a line."""
    try:
        line = payload.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: {error.reason} at byte {error.start}") from None
    encode_line(line)
    return line
