"""The session at the broker of one client's sensors: their readings, whether each device is there, and their entities
of Home Assistant; and commands to the sensor bus.

It begins when the client has published a sample, and lasts as the session of a channel does. A batch of samples leaves
the store when the broker has acknowledged what is published of it, so a reading that is to be published is not lost,
and those of a device are in order. The gateway is one subscriber of the client's `Sensors`: applications may be others.
"""

import asyncio
import time
from collections import deque

from aiomqtt import MqttError

from protocol.errors import LinkDown, RequestFailed, RequestTimeout, StoreError
from server.core.clock import utc_ms
from server.core.sensors import CommandFailed
from server.gateways.mqtt.advice import TOO_LARGE, reason_code
from server.gateways.mqtt.broker import TooLarge
from server.gateways.mqtt.sensor_commands import SensorCommands
from server.gateways.mqtt.sensor_devices import Moment, SensorDevices
from server.gateways.mqtt.session import BrokerSession
from server.gateways.mqtt.topics import sensors_topic

NOTE = "mqtt_sensors"  # name of the note
LOOK_S = 1.0  # between two looks for what is silent, or is to be forgotten
NAME = "sensors"  # in the log, in place of the number of a channel


class SensorSession(BrokerSession):
    """Args: number: of the channel of samples; lines: LineSession of the client; gateway: Gateway."""

    def __init__(self, number, lines, gateway):
        super().__init__(lines.client_id, sensors_topic(lines.base), gateway)
        self.number = number
        self._lines = lines
        self._sensors = self._connection.sensors()
        settings = self._settings
        self._devices = SensorDevices(
            self.client_id, lines.base, settings.discovery, interval_s=settings.sensors_interval_s,
            forget_s=settings.sensors_forget_s, info_of=self._sensors.info,
        )  # fmt: skip
        self._commands = SensorCommands(self._sensors, self.base, settings, self._refuse)
        self._restored = False
        self._readings = None  # Subscription
        self._awaited = None  # task: the next Reading. It outlives the connection, so none is lost with it
        self._place = (None, 0)  # of the last Reading: number of its message, index within it
        self._pending = deque()  # Publications that the broker has not acknowledged
        self._changed = asyncio.Event()  # something is pending

    @property
    def is_shared(self):
        """See BrokerSession. What the lines' session has found holds here too."""
        return self._lines.is_shared

    def _log(self, event, **details):
        super()._log(event, channel=NAME, **details)

    def _will(self):
        return f"{self.base}/status", "offline", self._gateway.mark

    async def _say_goodbye(self, broker):
        await self._put_status(broker, b"offline")

    async def _put_status(self, broker, status):
        await broker.publish(f"{self.base}/status", status, retain=True, properties=self._gateway.mark)

    async def _done_with(self, place):
        """See BrokerSession. What is published leaves the store when the next Reading is asked for."""

    async def run(self):
        self._readings = self._sensors.readings()  # before another subscriber could have what comes
        try:
            await super().run()
        finally:
            if self._awaited is not None:
                self._awaited.cancel()
            if self._readings is not None:
                self._readings.close()

    async def _work(self, broker):
        await self._restore()
        self._devices.postpone(_now())  # what has waited in the store comes first
        self._devices.forget_client()
        removals = [one for one in self._pending if not one.payload]  # all else is told anew
        self._pending = deque((*removals, *self._devices.of_client(self._lines.device), *self._devices.all()))
        await self._put_status(broker, b"online")
        async with asyncio.TaskGroup() as group:
            group.create_task(broker.ended())
            group.create_task(self._publish_all(broker))
            group.create_task(self._watch())
            group.create_task(self._commands.serve(broker))

    async def _restore(self):
        await self._connection.load(self._gateway.host.store)
        if not self._restored:
            try:
                self._devices.restore(self._connection.notes.get(NOTE), _now())
            except ValueError as error:  # of another version: the devices come again with their readings
                self._refuse("devices of the store", error)
            self._restored = True

    def _save(self):
        """Note the devices. It is safe with the next change of the client's state. Raises: StoreError."""
        if self._devices.unsaved:
            self._connection.notes.put(NOTE, self._devices.note())
            self._devices.unsaved = False

    # From the client

    async def _publish_all(self, broker):
        while True:
            while self._pending:  # more may have come while the last of it was acknowledged
                await self._publish_in_turn(None, self._publish_pending(broker))
            reading = await self._next_reading()
            if reading is not None:
                self._take(reading)

    async def _next_reading(self):
        """Returns the next Reading, or None: something is to be published, or may be. Raises: StoreError, and what
        else has ended the reading."""
        self._changed.clear()
        if self._readings is None:
            self._readings = self._sensors.readings()
        if self._awaited is None:
            self._awaited = asyncio.create_task(anext(self._readings))
            self._awaited.add_done_callback(lambda task: task.cancelled() or task.exception())  # it is looked at later
            await asyncio.sleep(0)  # it may have come already
        if not self._awaited.done():
            changed = asyncio.create_task(self._changed.wait())
            try:
                await asyncio.wait((self._awaited, changed), return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
        if not self._awaited.done():
            return None
        awaited, self._awaited = self._awaited, None
        try:
            return awaited.result()
        except Exception:  # the Subscription has ended with it
            self._readings.close()
            self._readings = None
            raise

    def _take(self, reading):
        """Find out what follows from a Reading. All of it is published before the next one is asked for."""
        number, index = self._place
        index = index + 1 if number == reading.number else 0
        self._place = reading.number, index
        try:
            found = self._devices.take(reading, index, _now())
        except ValueError as error:
            self._refuse("sensor", error)
            return
        self._put(self._devices.of_client(self._lines.device))
        self._put(found)

    def _put(self, publications):
        self._pending.extend(publications)
        if publications:
            self._changed.set()

    async def _publish_pending(self, broker):
        self._save()
        while self._pending:
            await self._publish(broker, self._pending[0])
            self._pending.popleft()

    async def _publish(self, broker, publication):
        """Publish, unless the broker does not take one of this size. Raises: MqttError."""
        try:
            await broker.publish(
                publication.topic, publication.payload, retain=publication.retain, properties=publication.properties
            )
        except TooLarge as error:
            self._give_up(publication, error)
        except MqttError as ended:
            if reason_code(ended) == TOO_LARGE:  # a broker that ends the connection for it, and would do so again
                self._give_up(publication, ended)
            raise

    def _give_up(self, publication, why):
        self._refuse(publication.what, why)
        self._devices.refused(publication)

    # What does not come

    async def _watch(self):
        """Look for devices from which nothing comes any longer."""
        while True:
            await asyncio.sleep(LOOK_S)
            now = _now()
            self._put(self._devices.of_client(self._lines.device))
            self._put(self._devices.forget(now))
            if not self._connection.status():
                self._devices.postpone(now)
            elif silent := self._devices.silent(now):
                await self._ask_for(silent, now)

    async def _ask_for(self, silent, since):
        """Ask the client what is there. silent: ids."""
        try:
            found = await self._sensors.command("listdevs", wait=False)
            bus = found["bus"]
            present = {f"{bus}_{address:x}" for address, _, _ in found["devs"]}
        except (LinkDown, RequestTimeout, StoreError):
            self._devices.postpone(since)
            return
        except (RequestFailed, CommandFailed, KeyError, TypeError, ValueError):
            bus = present = None  # its service has ended, or takes no commands
        self._put(self._devices.asked(silent, bus, present, since, _now()))


def _now():
    return Moment(time.monotonic(), utc_ms() / 1000)
