"""The session at the broker of one channel of a client: messages of bytes, unchanged, in both directions.

It begins when the client has used the channel, and lasts as long as the client's other one, over restarts of the
server. A channel that the client does not take keeps its messages at the broker; the lines and the other channels have
sessions of their own.
"""

import asyncio

from protocol.channel_records import MAX_TTL_MS
from server.gateways.mqtt.lines import LinePublisher
from server.gateways.mqtt.session import AHEAD, BrokerSession
from server.gateways.mqtt.settings import TITLE
from server.gateways.mqtt.topics import channel_topic


class OfChannel(BrokerSession):
    """What the sessions of channels have in common. Args: number: of the channel; lines: LineSession of the client;
    gateway: Gateway."""

    def __init__(self, number, lines, gateway):
        super().__init__(lines.client_id, channel_topic(lines.base, number), gateway)
        self.number = number
        self._lines = lines
        self._channel = self._connection.channel(number)

    @property
    def is_shared(self):
        """See BrokerSession. What the lines' session has found holds here too: this one has no status to look at."""
        return self._lines.is_shared

    def _log(self, event, **details):
        super()._log(event, channel=self.number, **details)

    def _is_for_it(self, message):
        """False for a message of a subscription whose end the broker has missed."""
        return message.topic.value == f"{self.base}/down"


class ChannelSession(OfChannel):
    """The session of a channel of messages. Args: as OfChannel."""

    def __init__(self, *args):
        super().__init__(*args)
        self._publisher = LinePublisher(self.base, self._log)

    async def run(self):
        try:
            self._channel.messages()
        except ValueError as error:  # an application asked or answered on it before the gateway began
            self._refuse("channel", error)
            return
        await super().run()

    async def _done_with(self, place):
        await self._channel.done_with(place, AHEAD)

    async def _work(self, broker):
        await broker.subscribe_for_good(f"{self.base}/down")
        async with asyncio.TaskGroup() as group:
            group.create_task(broker.ended())  # the reader of messages misses it while a client takes none
            group.create_task(self._take_messages(broker))
            group.create_task(self._publish_messages(broker))

    async def _publish_messages(self, broker):
        while True:
            store, number, message = await self._channel.next_after(None, 0, TITLE)
            place = store, number
            await self._publish_in_turn(place, self._publisher.publish(broker, place, message.data))

    async def _take_messages(self, broker):
        async for message in broker.messages:
            if not self._is_for_it(message):
                broker.ack(message)
                continue
            try:
                await self._channel.send(message.payload, wait=False, ttl_ms=ttl_of(message.properties))
            except ValueError as error:  # it is longer than the client takes
                self._refuse("message", error)
            else:
                self._moved = True
                self._counts["received_total"] += 1
            broker.ack(message)


def ttl_of(properties):
    """Returns the time limit (ms) of a publication with these properties, or None: it has none, or one that is longer
    than a channel has."""
    left_s = getattr(properties, "MessageExpiryInterval", None)
    if left_s is None or left_s * 1000 > MAX_TTL_MS:
        return None
    return max(1, left_s * 1000)
