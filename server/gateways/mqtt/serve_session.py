"""The session at the broker of one channel on which MQTT applications answer the client: see calls.py.

A request of the client is published until the broker has acknowledged it, or its time is over: at least once, each time
with the same Correlation Data. The first answer is the client's. If the server ends before, the next process gives the
client a failure, as for every handler: server/core/requests.py.
"""

import asyncio
import os

from aiomqtt import MqttError

from primitives.broadcast import Broadcast
from server.core.clock import utc_ms
from server.gateways.mqtt.broker import Refused, TooLarge
from server.gateways.mqtt.calls import correlation, error_of, is_about_publication
from server.gateways.mqtt.channel_session import OfChannel
from server.gateways.mqtt.settings import TITLE

_ID = 8  # bytes of each half of the Correlation Data: one of the process, one that counts


class NoAnswer(Exception):
    """No MQTT application answers."""


class ApplicationFailed(Exception):
    """The MQTT application has answered a failure."""


class Call:
    """A request of the client. until: UTC time (ms) at which its caller stops waiting."""

    def __init__(self, data, until):
        self.data = data
        self.until = until
        self.is_published = False
        self.answer = asyncio.get_running_loop().create_future()

    def fail(self, why):
        if not self.answer.done():
            self.answer.set_exception(NoAnswer(str(why)))


class ServeSession(OfChannel):
    """Args: as OfChannel."""

    def __init__(self, *args):
        super().__init__(*args)
        self._calls = {}  # Correlation Data -> Call; there are at most MAX_HANDLERS of core/requests.py
        self._first = os.urandom(_ID)
        self._count = 0
        self._changed = Broadcast()

    async def run(self):
        try:
            self._channel.requests().serve(self._handle, TITLE)
        except ValueError as error:  # an application used it before the gateway began
            self._refuse("channel", error)
            return
        try:
            await super().run()
        finally:
            for call in self._calls.values():
                call.fail("the gateway has ended")

    async def _handle(self, data, until):
        """Answers a request: see Requests.serve."""
        if self._ending:
            raise NoAnswer("the gateway has ended")
        self._count += 1
        name = self._first + self._count.to_bytes(_ID, "big")
        call = self._calls[name] = Call(data, until)
        self._changed.pulse()
        try:
            async with asyncio.timeout(max(0, until - utc_ms()) / 1000):
                return await call.answer
        except TimeoutError:
            raise NoAnswer("no MQTT application has answered in time") from None
        finally:
            del self._calls[name]

    async def _work(self, broker):
        await broker.subscribe_for_good(f"{self.base}/down")
        async with asyncio.TaskGroup() as group:
            group.create_task(broker.ended())
            group.create_task(self._take_answers(broker))
            group.create_task(self._publish_requests(broker))

    async def _publish_requests(self, broker):
        while True:
            ready = [one for one in self._calls.items() if not one[1].is_published and not one[1].answer.done()]
            if ready:
                name, call = ready[0]
                await self._publish_in_turn(call, self._publish(broker, name, call))
            else:
                await self._changed.wait()

    async def _done_with(self, call):
        """See BrokerSession: the place is the Call."""
        call.is_published = True

    async def _publish(self, broker, name, call):
        """Publish a request, or have the client know why not. Raises: MqttError."""
        topic, left_ms = f"{self.base}/up", max(1, call.until - utc_ms())
        more = {
            "ResponseTopic": f"{self.base}/down", "CorrelationData": name, "MessageExpiryInterval": -(-left_ms // 1000),
        }  # fmt: skip
        try:
            if not await broker.publish(topic, call.data, more=more, lenient=True):
                call.fail(f"no MQTT application has subscribed to {topic}")
        except (TooLarge, Refused) as refusal:
            self._refuse("request", refusal)
            call.fail(refusal)
        except MqttError as ended:
            if is_about_publication(ended):
                self._refuse("request", f"the broker has ended the connection for it: {ended}")
                call.fail(ended)
            raise

    async def _take_answers(self, broker):
        async for message in broker.messages:
            if self._is_for_it(message):
                self._take(message, broker.is_repeated(message))
            broker.ack(message)

    def _take(self, message, is_repeated):
        call = self._calls.get(correlation(message))
        if call is None or call.answer.done():
            if not is_repeated:  # else it is probably one that was taken
                self._refuse("answer", _STRAY if correlation(message) else _NAMELESS)
            return
        self._moved = True
        self._counts["received_total"] += 1
        if error_of(message) is None:
            call.answer.set_result(bytes(message.payload))
        else:
            text = message.payload.decode(errors="replace")
            call.answer.set_exception(ApplicationFailed(text or error_of(message)))


_STRAY = "no request waits for it: it is too late, or its Correlation Data is not that of a request"
_NAMELESS = "it has no Correlation Data: publish an answer with that of the request"
