"""The session at the broker of one channel on which MQTT applications ask the client: see calls.py.

A request is acknowledged to the broker when the broker has acknowledged its answer. So the broker sends it again after
an interruption, and its answer is published at least once. Its handler runs at most once all the same: what was begun
is known here, and a later process knows it by a note in the store, which is put in front of the request. That process
answers a failure then.
"""

import asyncio
import collections

from aiomqtt import MqttError

from primitives.broadcast import Broadcast
from protocol.errors import LinkError, RequestTimeout
from server.gateways.mqtt.advice import TOO_LARGE, reason_code
from server.gateways.mqtt.broker import Refused, TooLarge
from server.gateways.mqtt.calls import (
    ERROR,
    FAILED,
    REFUSED,
    TIMEOUT,
    correlation,
    is_about_publication,
    key_of,
    response_fault,
    response_topic,
)
from server.gateways.mqtt.channel_session import OfChannel, ttl_of
from server.gateways.mqtt.settings import TITLE

MAX_ASKED = 16  # requests that were begun and whose answers are not published yet; the others wait at the broker
MAX_KNOWN = 32  # requests of former processes, or answered ones, that are known if the broker sends them again

INTERRUPTED = "the server was restarted while it waited for the answer: the handler may have run, or still run"


class Asked:
    """A request. answer: coroutine that returns (payload, value of ERROR or None)."""

    def __init__(self, key, message, answer):
        self.key = key
        self.topic = response_topic(message)
        self.correlation = correlation(message)
        self.task = asyncio.create_task(answer)
        self.too_large = False  # the broker does not take the answer
        self.refused = False  # the broker takes no answer at all
        self.done = False  # the answer is published, or will never be


class AskSession(OfChannel):
    """Args: as OfChannel."""

    def __init__(self, *args):
        super().__init__(*args)
        self._asked = []  # Asked, not done
        self._open = collections.deque()  # (message, Asked or None) that the present connection has not acknowledged
        self._known = None  # keys of a former process
        self._answered = collections.deque(maxlen=MAX_KNOWN)  # keys
        self._broker = None  # of the present connection
        self._changed = Broadcast()
        self._note = f"mqtt_asked/{self.number}"
        self._own = self._settings.prefix, self._settings.discovery

    async def run(self):
        try:
            await super().run()
        finally:
            tasks = [asked.task for asked in self._asked]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _work(self, broker):
        await self._connection.load(self._gateway.host.store)
        if self._known is None:
            self._known = self._connection.notes.get(self._note).split()
        self._open.clear()
        self._broker = broker
        await broker.subscribe_for_good(f"{self.base}/down")
        async with asyncio.TaskGroup() as group:
            group.create_task(broker.ended())
            group.create_task(self._take_requests(broker))
            group.create_task(self._publish_answers(broker))

    # Requests

    async def _take_requests(self, broker):
        async for message in broker.messages:
            while len(self._asked) >= MAX_ASKED:
                await self._changed.wait()
            found = self._begun(message, broker.is_repeated(message)) if self._is_for_it(message) else None
            self._open.append((message, found))
            self._acknowledge(broker)

    def _begun(self, message, is_repeated):
        """Returns the Asked of a message, or None if nothing is to be answered."""
        fault = response_fault(response_topic(message), self._own)
        if fault:
            self._refuse("request", fault)
            return None
        self._moved = True
        key = key_of(message)
        for asked in self._asked:
            if asked.key == key and (correlation(message) or is_repeated and self._is_free(asked)):
                return asked
        if is_repeated and key in self._answered:
            return None
        if is_repeated and key in self._known:
            self._known.remove(key)
            answer = _failure(INTERRUPTED)
        else:
            self._put_note(key)
            answer = self._ask(message.payload, ttl_of(message.properties) or 1000 * self._settings.request_s)
        self._counts["received_total"] += 1
        asked = Asked(key, message, answer)
        asked.task.add_done_callback(lambda task: self._changed.pulse())
        self._asked.append(asked)
        return asked

    def _is_free(self, asked):
        """True if no message on the present connection is this one."""
        return all(one is not asked for _, one in self._open)

    async def _ask(self, data, timeout_ms):
        """Returns (payload, value of ERROR or None)."""
        try:
            return await self._channel.requests().ask(data, timeout_ms, reader=TITLE), None
        except RequestTimeout as error:
            return str(error).encode(), TIMEOUT
        except LinkError as error:  # RequestFailed; StoreError, after which the handler may run
            return str(error).encode(), FAILED
        except ValueError as error:  # too long for the client, or the application uses the channel otherwise
            return str(error).encode(), REFUSED

    def _put_note(self, *more):
        """Note what was begun. It is safe with the next change of the client's state. Raises: StoreError."""
        del self._known[:-MAX_KNOWN]
        self._connection.notes.put(self._note, " ".join([*self._known, *(one.key for one in self._asked), *more]))

    # Answers

    async def _publish_answers(self, broker):
        while True:
            ready = next((asked for asked in self._asked if asked.task.done()), None)
            if ready is None:
                await self._changed.wait()
                continue
            await self._publish_in_turn(ready, self._publish_answer(broker, ready))

    async def _done_with(self, asked):
        """See BrokerSession: the place is the Asked."""
        asked.done = True
        self._asked.remove(asked)
        self._answered.append(asked.key)
        self._put_note()
        self._acknowledge(self._broker)
        self._changed.pulse()

    async def _publish_answer(self, broker, asked):
        """Publish an answer, unless the broker never takes it. Raises: MqttError."""
        payload, error = asked.task.result()
        try:
            if asked.refused:
                return
            if not asked.too_large:
                try:
                    await self._publish(broker, asked, payload, error)
                    return
                except TooLarge:
                    asked.too_large = True
            text = f"the broker takes no answer of {len(payload)} bytes".encode()
            await self._publish(broker, asked, text, REFUSED)
        except (TooLarge, Refused) as refusal:
            self._refuse("answer", refusal)
        except MqttError as ended:
            if reason_code(ended) == TOO_LARGE and not asked.too_large:
                asked.too_large = True
            elif is_about_publication(ended):
                asked.refused = True
                self._refuse("answer", f"the broker has ended the connection for it: {ended}")
            raise

    async def _publish(self, broker, asked, payload, error):
        more = {"CorrelationData": asked.correlation} if asked.correlation else {}
        properties = ((ERROR, error),) if error else ()
        if not await broker.publish(asked.topic, payload, properties=properties, more=more, lenient=True):
            self._refuse("answer", f"nobody has subscribed to its Response Topic {asked.topic!r}")

    def _acknowledge(self, broker):
        """Acknowledge what is done. MQTT wants the order of the messages (MQTT 5, 4.6)."""
        while self._open and (self._open[0][1] is None or self._open[0][1].done):
            broker.ack(self._open.popleft()[0])


async def _failure(text):
    return text.encode(), FAILED
