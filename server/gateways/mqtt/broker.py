"""One connection to an MQTT broker, with what aiomqtt does not do itself. It needs the extra `mqtt`.

aiomqtt acknowledges a message when it has arrived, treats a refused publication as acknowledged, and leaves a
connection open that it has given up. Here a message is acknowledged by `ack`, when it is safe. A refusal ends the
connection. A connection always ends, and the broker then publishes the will unless `leave` was called.

One publication is in flight at a time. Which one a broker refuses is known only from its answer, so with a second one
in flight, that one could pass a refused one.

MQTT 5 is required: 3.1.1 has neither refusals nor a limit on what the broker sends. Each connection has an aiomqtt
client of its own. What was not acknowledged on the last connection is published again by the caller.
This file uses private names of aiomqtt, and the versions are pinned for that: `_client` (paho's), `_on_*`,
`_misc_loop`; and of paho: `_handle_pubackcomp`, `_in_packet`.
"""

import asyncio
import contextlib
import logging
import socket
import ssl

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from protocol.limits import MAX_LINE
from server.gateways.mqtt.advice import TOO_LARGE
from server.gateways.mqtt.topics import packet_size, smallest_packet
from server.gateways.setting import SettingsError

RECEIVE_MAXIMUM = 16  # the limit for the broker's messages without acknowledgement
MAX_WAITING = 1 << 20  # bytes of messages without acknowledgement: Mosquitto 2.0 does not keep to RECEIVE_MAXIMUM
MESSAGE_COST = 256  # what a message counts beyond its payload
MAX_PACKET = 4 * MAX_LINE  # bytes; the broker does not send larger messages
ANSWER_S = 10.0  # for an answer of the broker to anything but a publication
ACK_S = 30.0  # for its acknowledgement of a publication

NO_SUBSCRIBERS = 0x10  # reason code of PUBACK

_AT_ONCE = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)  # both ends wait for each other: 40 ms a line otherwise
_LOOKS = 6  # tests per keepalive time whether a PINGREQ is due; aiomqtt does one a second for each connection
_NEVER_RETAINED = 2  # MQTT 5, 3.8.3.1: "Do not send retained messages at the time of the subscribe"
_FAILURE = 0x80  # reason codes from here on; "Unspecified error"
_REFUSALS = (0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)  # MQTT 5, 3.4.2.1: the other codes of PUBACK
_LOGGER = logging.getLogger("server.mqtt")
_LOGGER.addHandler(logging.NullHandler())  # every fault is raised as an exception
_LOGGER.propagate = False


class TooLarge(aiomqtt.MqttError):
    """The broker takes no publication of this size. Others may follow."""


class Refused(aiomqtt.MqttError):
    """The broker has refused this publication. The connection goes on."""


class Broker(aiomqtt.Client):
    """A connection to the broker: use `connection`.

    Args: settings: those of [mqtt]; name: the MQTT client id; will: (topic, payload, user properties), or None;
    tls: see tls_context, one for all connections; password: str or None.
    """

    def __init__(self, settings, name, will, *, tls, password):
        super().__init__(
            settings.host, settings.port, identifier=name, protocol=aiomqtt.ProtocolVersion.V5, clean_start=False,
            username=settings.username or None, password=password, tls_context=tls,
            will=will and _will(*will), keepalive=settings.keepalive_s, timeout=ANSWER_S,
            properties=_properties(
                PacketTypes.CONNECT, SessionExpiryInterval=settings.session_s, ReceiveMaximum=RECEIVE_MAXIMUM,
                MaximumPacketSize=MAX_PACKET,
            ), socket_options=_AT_ONCE, logger=_LOGGER,
        )  # fmt: skip
        self.repeated = 0  # messages that the broker has marked as sent before
        self._marked = set()  # packet ids of those of them that are not acknowledged yet
        self.overrun = 0  # messages with QoS 0 that were dropped
        self._waiting = 0  # bytes
        self._full = False  # a message did not fit: the broker has to send it again
        self.left = False
        self.max_packet = None  # bytes of the largest packet that the broker takes, or None if it has not said so
        self._smallest = smallest_packet(name)
        self._retained = None  # [topic, user properties] of a retained message that is wanted
        self._turn = asyncio.Lock()
        self._answer = None  # future of the publication in flight
        self._in_flight = None  # (packet id, topic, whether it is lenient) of it
        self._dropped = False
        self._look_s = settings.keepalive_s / _LOOKS
        self._client.manual_ack_set(True)
        self._handle_puback, self._client._handle_pubackcomp = self._client._handle_pubackcomp, self._look_at_puback
        self._puback_code = 0  # reason code of the PUBACK that is being handled
        for future in (self._connected, self._disconnected):
            future.add_done_callback(lambda future: future.cancelled() or future.exception())  # else asyncio logs it

    async def publish(self, topic, payload, *, retain=False, properties=(), more=None, lenient=False):
        """Publish with QoS 1, and return when the broker has acknowledged. Waits for the end of earlier publications.
        Returns False if it says that nobody has subscribed to the topic.

        payload: bytes; properties: user properties, (name, value); more: dict of other properties of PUBLISH, by paho's
        names; lenient: a refusal does not end the connection. If the caller is cancelled, the publication goes on, and
        later ones wait for its end.
        Raises: TooLarge; Refused, if lenient; MqttError: the connection has ended, or ends.
        """
        task = asyncio.create_task(self._publish(topic, payload, retain, properties, more or {}, lenient))
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(task) != NO_SUBSCRIBERS

    async def _publish(self, topic, payload, retain, properties, more, lenient):
        async with self._turn:
            if self._disconnected.done() or self._dropped:
                raise self._cause()
            listed = dict(more, UserProperty=tuple(properties)) if properties else more
            known = _properties(PacketTypes.PUBLISH, **listed) if listed else None
            size = packet_size(topic, len(payload), properties, more)
            if self.max_packet is not None and size > self.max_packet:
                raise TooLarge(f"a packet of {size} bytes, and the broker takes {self.max_packet}")
            info = self._client.publish(topic, payload, 1, retain, known)
            if info.rc != 0 or self._dropped:  # MQTT_ERR_SUCCESS
                raise self._cause()
            self._in_flight = info.mid, topic, lenient
            self._answer = self._loop.create_future()
            try:
                async with asyncio.timeout(ACK_S):
                    return await self._answer
            except TimeoutError:
                self._fail(f"the broker has not acknowledged a publication to {topic} within {ACK_S:g} s")
                raise self._cause()
            finally:
                self._answer = None

    def _cause(self):
        """Returns the exception with which the connection has ended, or ends: MqttError or OSError."""
        ended = self._disconnected.done() and not self._disconnected.cancelled() and self._disconnected.exception()
        if ended and not isinstance(ended, (aiomqtt.MqttError, OSError)):  # from paho, about what the broker sends
            return aiomqtt.MqttError(f"{type(ended).__name__}: {ended}")
        return ended or aiomqtt.MqttError("the connection has ended")

    async def subscribe_for_good(self, topic):
        """Subscribe with QoS 1, and without retained messages, which would arrive each time. Raises: MqttError."""
        options = SubscribeOptions(qos=1, retainHandling=_NEVER_RETAINED)
        for code in await asyncio.shield(self.subscribe(topic, options=options)):  # as publications
            if code.is_failure:
                raise aiomqtt.MqttError(f"the broker refused the subscription of {topic}: {code}")

    async def retained_properties(self, topic):
        """Returns the user properties (dict) of the retained message of this topic, {} if there is none or the broker
        does not let it be read. Raises: MqttError."""
        self._retained = [topic, []]
        await asyncio.shield(self.subscribe(topic, qos=0))
        await asyncio.shield(self.unsubscribe(topic))  # when it is answered, the message has arrived
        (_, found), self._retained = self._retained, None
        return dict(found)

    def is_repeated(self, message):
        """True if the broker has marked a message, which is not acknowledged yet, as sent before."""
        return message.mid in self._marked

    def ack(self, message):
        """Tell the broker that a message is safe. It must be called for every message, in their order."""
        self._marked.discard(message.mid)
        self._client.ack(message.mid, message.qos)
        self._waiting -= _cost(message)
        if self._full and not self._waiting:  # on the next connection the broker repeats what is not acknowledged
            self._fail("the broker has sent more than can be held, and is to send the rest again")

    async def ended(self):
        """Wait until the connection has ended, and raise the cause: MqttError, OSError."""
        await asyncio.wait((self._disconnected,))
        raise self._cause()

    async def leave(self, forget=False):
        """End the connection without the will. forget: also end the session at the broker. Raises: MqttError."""
        properties = _properties(PacketTypes.DISCONNECT, SessionExpiryInterval=0) if forget else None
        self._client.disconnect(properties=properties)
        self.left = True
        await self._wait_for(asyncio.shield(self._disconnected), timeout=None)

    def drop(self):
        """End the connection at once, if it still exists, and all pending publications."""
        self._dropped = True
        self._settle(self._cause())
        sock = self._client.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # the loop reads the end of the stream, and closes the socket

    async def _misc_loop(self):
        while self._client.loop_misc() == 0:  # MQTT_ERR_SUCCESS
            await asyncio.sleep(self._look_s)

    # paho's callbacks

    def _on_socket_register_write(self, client, userdata, sock):
        """Register the socket at once. aiomqtt does it in the loop's next round, when another connection may use its
        descriptor."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # the thread that connects
            super()._on_socket_register_write(client, userdata, sock)
        else:
            self._loop.add_writer(sock.fileno(), self._write)

    def _write(self):
        try:
            self._client.loop_write()
        except Exception as error:  # as in aiomqtt: any error ends the connection
            self._fail(f"{type(error).__name__}: {error}")

    def _on_connect(self, client, userdata, flags, reason_code, properties=None):
        self.max_packet = getattr(properties, "MaximumPacketSize", None)
        lacking = self._lacking(properties)
        if lacking and not reason_code.is_failure:
            reason_code = ReasonCode(PacketTypes.CONNACK, lacking)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _lacking(self, properties):
        """Returns the name of the reason for which a broker with these properties of CONNACK is none for the gateway. A
        broker should refuse the connection itself, because of the will."""
        if not getattr(properties, "RetainAvailable", 1):
            return "Retain not supported"
        if getattr(properties, "MaximumQoS", 2) < 1:
            return "QoS not supported"
        if self.max_packet is not None and self.max_packet < self._smallest:
            return "Packet too large"

    def _on_disconnect(self, client, userdata, flags, reason_code, properties=None):
        if not self._connected.done():  # aiomqtt would wait for its time-out
            self._connected.set_exception(aiomqtt.MqttError("the broker has closed the connection before it began"))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)
        self._settle(self._cause())

    def _look_at_puback(self, command):
        """paho ends the connection for a reason code that the standard does not have for PUBACK. Mosquitto sends such a
        code, TOO_LARGE, for what is beyond its message_size_limit."""
        packet = self._client._in_packet["packet"]
        self._puback_code = packet[2] if len(packet) > 2 else 0
        if self._puback_code & _FAILURE and self._puback_code not in _REFUSALS:
            packet[2] = _FAILURE
        return self._handle_puback(command)

    def _on_publish(self, client, userdata, mid, reason_code, properties):
        if self._answer is None or self._in_flight[0] != mid:
            return
        code, topic = self._puback_code, self._in_flight[1]
        if code == TOO_LARGE:
            self._settle(TooLarge(f"the broker refused a publication to {topic}: Packet too large"))
        elif code & _FAILURE:
            name = reason_code if code in _REFUSALS else f"reason code {code:#x}"
            words = f"the broker refused a publication to {topic}: {name}"
            self._settle(Refused(words)) if self._in_flight[2] else self._fail(words)
        else:
            self._settle(None, code)

    def _settle(self, error, code=0):
        """End the publication in flight, if there is one. code: of PUBACK."""
        if self._answer is not None and not self._answer.done():
            if error is None:
                self._answer.set_result(code)
            else:
                self._answer.set_exception(error)

    def _on_message(self, client, userdata, message):
        if self._retained is not None and message.topic == self._retained[0]:
            if message.retain:
                self._retained[1] = getattr(message.properties, "UserProperty", [])
            return
        size = _cost(message)
        if message.qos == 0 and self._waiting >= RECEIVE_MAXIMUM * MESSAGE_COST:
            self.overrun += 1
        elif self._full or self._waiting + size > MAX_WAITING:
            self._full = True  # no later message is accepted either, to keep their order
        else:
            self._waiting += size
            self.repeated += message.dup
            if message.dup:
                self._marked.add(message.mid)
            super()._on_message(client, userdata, message)

    def _fail(self, why):
        if not self._disconnected.done():
            self._disconnected.set_exception(aiomqtt.MqttError(why))
        self._settle(self._cause())


@contextlib.asynccontextmanager
async def connection(settings, name, will, *, tls, password, connecting=None):
    """Yields a connected Broker. connecting: asyncio.Semaphore, a limit on simultaneous attempts, or None.

    Raises: MqttError, OSError.
    """
    async with connecting or contextlib.nullcontext():
        broker = Broker(settings, name, will, tls=tls, password=password)
        entering = asyncio.ensure_future(broker.__aenter__())  # a thread connects, and cannot be cancelled
        try:
            await asyncio.shield(entering)
        except BaseException:
            entering.add_done_callback(lambda task: (task.cancelled() or task.exception(), broker.drop()))
            raise
    try:
        yield broker
    finally:
        broker.drop()


def _cost(message):
    """Returns what a message counts of MAX_WAITING."""
    properties = message.properties
    more = len(getattr(properties, "CorrelationData", b"")) + len(getattr(properties, "ResponseTopic", ""))
    return len(message.payload) + more + MESSAGE_COST


def _will(topic, payload, properties):
    return aiomqtt.Will(topic, payload, 1, True, _properties(PacketTypes.WILLMESSAGE, UserProperty=properties))


def tls_context(settings):
    """Returns an ssl.SSLContext that verifies the broker, or None. Raises: SettingsError."""
    if not settings.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file, password=_no_pass_phrase)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        files = ", ".join(filter(None, (settings.ca_file, settings.cert_file, settings.key_file)))
        raise SettingsError(f"no TLS with {files or 'the certificates of the system'}: {error}")
    return context


def _no_pass_phrase():
    raise ValueError("key_file has a pass phrase, which nobody could be asked for: take it out of the file")


def _properties(packet_type, **values):
    properties = Properties(packet_type)
    for name, value in values.items():
        setattr(properties, name, list(value) if isinstance(value, tuple) else value)
    return properties
