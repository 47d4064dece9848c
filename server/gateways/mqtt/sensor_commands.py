"""Commands of MQTT applications to a client's sensor bus, and their answers.

    PREFIX/ID/sensor/command   {"cmd": "listdevs"}, as in docs/sensor-bus.md, "Commands"
    PREFIX/ID/sensor/result    the answer, {"cmd": "listdevs", "bus": 1, ..}; or at the Response Topic of the command

A command is acknowledged to the broker before it is carried out, so it is carried out at most once. If the server or a
connection fails meanwhile, there is no answer.
"""

import asyncio
import json

from protocol.errors import LinkError, RequestTimeout
from server.core.sensors import CommandFailed
from server.gateways.mqtt.broker import Refused, TooLarge
from server.gateways.mqtt.calls import (
    ERROR,
    FAILED,
    REFUSED,
    TIMEOUT,
    correlation,
    response_fault,
    response_topic,
)
from server.gateways.mqtt.channel_session import ttl_of

MAX_COMMANDS = 8  # that are carried out at a time; the next ones wait at the broker
REPEATED = "repeated"  # error: the broker has sent the command before, so it may have been carried out

_NOT_ARGUMENTS = ("self", "name", "answer_ms", "wait")  # of Sensors.command, and of no command


class SensorCommands:
    """Args: sensors: Sensors of the client; base: the topic above those of its sensors; settings: those of [mqtt];
    refuse: function (what, why)."""

    def __init__(self, sensors, base, settings, refuse):
        self._sensors = sensors
        self._base = base
        self._settings = settings
        self._refuse = refuse
        self._room = asyncio.Semaphore(MAX_COMMANDS)

    async def serve(self, broker):
        """Take commands until the connection ends."""
        topic = f"{self._base}/command"
        if self._settings.sensors_commands:
            await broker.subscribe_for_good(topic)
        else:  # they may have been taken before
            await asyncio.shield(broker.unsubscribe(topic))
        async with asyncio.TaskGroup() as group:
            async for message in broker.messages:
                if message.topic.value != topic or not self._settings.sensors_commands:
                    broker.ack(message)
                    continue
                await self._room.acquire()
                is_repeated = broker.is_repeated(message)
                broker.ack(message)
                task = group.create_task(self._carry_out(broker, message, is_repeated))
                task.add_done_callback(lambda task: self._room.release())

    async def _carry_out(self, broker, message, is_repeated):
        """Carry out a command and publish its answer. Raises: MqttError."""
        topic = response_topic(message) or f"{self._base}/result"
        fault = response_fault(topic, (self._settings.prefix, self._settings.discovery))
        if fault and response_topic(message):
            self._refuse("command", fault)
            return
        name, answer = None, {"error": REPEATED, "text": "the broker has sent it before: it may have been carried out"}
        if not is_repeated:
            name, answer = await self._answer(message)
        properties = ((ERROR, str(answer["error"])),) if "error" in answer else ()
        more = {"CorrelationData": correlation(message)} if correlation(message) else None
        try:
            payload = json.dumps({"cmd": name, **answer}).encode()
            await broker.publish(topic, payload, properties=properties, more=more, lenient=True)
        except (TooLarge, Refused) as refusal:
            self._refuse("answer", refusal)

    async def _answer(self, message):
        """Returns (name of the command or None, its answer)."""
        name = None
        try:
            arguments = json.loads(message.payload)
            if not isinstance(arguments, dict) or not isinstance(arguments.get("cmd"), str):
                raise ValueError('a command must be an object, such as {"cmd": "listdevs"}')
            name = arguments.pop("cmd")
            for word in _NOT_ARGUMENTS:
                if word in arguments:
                    raise ValueError(f"no command has the argument {word!r}")
            answer_ms = ttl_of(message.properties) or 1000 * self._settings.request_s
            return name, await self._sensors.command(name, answer_ms=answer_ms, **arguments)
        except CommandFailed as error:
            return name, {"error": error.code, "text": error.text}
        except RequestTimeout as error:
            return name, {"error": TIMEOUT, "text": str(error)}
        except LinkError as error:
            return name, {"error": FAILED, "text": str(error)}
        except (ValueError, RecursionError) as error:
            return name, {"error": REFUSED, "text": str(error)}
