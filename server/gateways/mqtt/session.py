"""A session at the broker, over all connections to it: one of a client's lines, and one of each channel that it uses.

Each has an MQTT client id, a session and a connection of its own. So what one of them has to wait for, because the
client does not take it or the broker refuses it, delays none of the others. A message leaves the store when the broker
has acknowledged what is published of it. The next one is published then, so none is ahead of one that was refused.
"""

import asyncio
import random
import time

from aiomqtt import MqttCodeError, MqttError

from protocol.errors import StoreError
from server.gateways.mqtt.advice import TAKEN_OVER, advice, cause, reason_code
from server.gateways.mqtt.broker import connection
from server.gateways.setting import SettingsError

FIRST_S = 0.5  # before the second attempt; each further one waits twice as long, less a random half
LONGEST_S = 60.0
STABLE_S = 10.0  # a connection that lasted this long ends the back-off, as does one that carried a message
LEAVE_S = 3.0  # at the end, to say that the client is offline
AHEAD = 20  # messages that the broker has acknowledged and whose removal from the store is not yet on the disk

_NO_REASON = 0x80  # "Unspecified error", which paho makes of the end of a connection
FAULTS = (MqttError, OSError, StoreError, SettingsError)


class BrokerSession:
    """Args: base: the MQTT client id, and the topic above those of the session; gateway: Gateway."""

    def __init__(self, client_id, base, gateway):
        self.client_id = client_id
        self.base = base
        self.task = None
        self._gateway = gateway
        self._settings = gateway.settings
        self._counts = gateway.counts
        self._connection = gateway.host.registry.get(client_id)
        self._since = None  # when the present connection to the broker began
        self._current = None  # ((store, number), task) of the message that is being published
        self._moved = False  # a message was moved, in either direction, over the present connection
        self._ending = self._forget = False

    # For subclasses

    is_shared = False  # another server uses the same MQTT client id

    def _will(self):
        """Returns the will of the next connection, or None: see Broker."""
        return None

    async def _work(self, broker):
        """Serve a connection until it ends. Raises the cause."""
        raise NotImplementedError("_work")

    async def _say_goodbye(self, broker):
        """Publish what is the last at the end of the session."""

    async def _done_with(self, place):
        """The message at this place, (store, number), is published: let it leave the store."""
        raise NotImplementedError("_done_with")

    def _log(self, event, **details):
        self._gateway.log(event, self.client_id, **details)

    async def _publish_in_turn(self, place, publication):
        """Publish a message by this coroutine, and remove it from the store."""
        self._current = place, asyncio.create_task(self._counted(publication))
        await self._commit()

    def _refuse(self, what, why):
        self._counts["refused_total"] += 1
        self._log("mqtt_refused", what=what, reason=str(why))

    # For the gateway

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
            except* FAULTS as faults:
                fault = cause(faults)
            finally:
                await self._abandon()
            if self._ending:
                break
            if self._moved or self._since is not None and time.monotonic() - self._since >= STABLE_S:
                pause_s = FIRST_S
            if reason_code(fault) == TAKEN_OVER or self.is_shared:  # they would take it from each other all the time
                pause_s = LONGEST_S
            wait_s = random.uniform(0.5, 1) * pause_s
            pause_s = min(2 * pause_s, LONGEST_S)
            self._counts["lost_connections_total"] += 1
            self._log("mqtt_lost", error=_reason(fault), again_s=round(wait_s, 1))
            self._gateway.advise(self.client_id, reason_code(fault), advice(fault, self.base))
            await asyncio.sleep(wait_s)

    async def _live(self):
        """Serve one connection to the broker until it ends. Raises the cause."""
        gateway = self._gateway
        connecting = connection(
            self._settings, self.base, self._will(), tls=gateway.tls, password=gateway.password(),
            connecting=gateway.connecting,
        )  # fmt: skip
        async with connecting as broker:
            self._since = time.monotonic()
            self._counts["connected"] += 1
            self._log("mqtt_connected", host=self._settings.host, port=self._settings.port)
            try:
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
            await self._commit()
        await self._say_goodbye(broker)
        await broker.leave(self._forget)

    async def _abandon(self):
        """Wait for the end of the publication whose connection has ended. The message stays in the store."""
        if self._current is not None:
            (_, task), self._current = self._current, None
            await asyncio.wait((task,))  # Broker.drop has ended what it waits for
            task.cancelled() or task.exception()  # it has been handled

    async def _commit(self):
        """Remove the message from the store once all is published. If this is cancelled, call it again."""
        place, task = self._current
        await asyncio.shield(task)
        await self._done_with(place)
        self._moved = True
        self._counts["published_total"] += 1
        self._current = None

    async def _counted(self, publication):
        self._counts["in_flight"] += 1
        try:
            await publication
        finally:
            self._counts["in_flight"] -= 1


def _reason(fault):
    if isinstance(fault, MqttCodeError) and reason_code(fault) == _NO_REASON:
        return "the connection has ended, and the broker has not said why"
    return str(fault) or type(fault).__name__
