"""Commands of MQTT applications to a client's sensor bus, at a broker that does what the test says."""

import json

import pytest

from tests.server.gateways.mqtt.sensor_bed import COMMAND, PLACE, RESULT, SENSORS, run, told
from tests.server.gateways.mqtt.sensor_client import WARM
from tests.server.peer import until
from tests.server.scripted_broker import request_properties


def command(broker, packet_id, members, flags=2, **properties):
    data = members if isinstance(members, bytes) else json.dumps(members).encode()
    broker.publish(packet_id, COMMAND, data, flags, request_properties(**properties))


def test_command_is_carried_out_and_its_answer_published(mqtt):
    async def main(broker, service, client, found):
        client.measure(WARM)
        client.answers["cmdraw"] = {"error": "no_answer", "text": "nobody"}
        await until(lambda: COMMAND in broker.subscribers, "the subscription")
        command(broker, 1, {"cmd": "listdevs"})
        await until(lambda: broker.texts(RESULT), "the answer")
        assert json.loads(broker.texts(RESULT)[0]) == {"cmd": "listdevs", "bus": 1, "devs": [[0x18, "MCP9808", 1]]}
        command(broker, 2, {"cmd": "cmdraw", "addr": 24, "read": 2}, topic="app/x", correlation=b"n")
        await until(lambda: broker.texts("app/x"), "the other answer")
        assert json.loads(broker.texts("app/x")[0]) == {"cmd": "cmdraw", "error": "no_answer", "text": "nobody"}
        properties = dict(zip([one[0] for one in broker.published], broker.properties))["app/x"]
        assert properties == {"error": "no_answer", "correlation": b"n"}
        assert client.asked == [{"cmd": "listdevs"}, {"addr": 24, "read": 2, "cmd": "cmdraw"}]
        assert broker.acknowledged == [1, 2] and not any(retain for topic, _, retain, _ in broker.published
                                                         if topic in (RESULT, "app/x"))  # fmt: skip

    run(mqtt, main, sensors_commands=True)


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"{", "refused", "Expecting"),
        (b"3", "refused", "a command must be an object"),
        (b'{"cmd": 3}', "refused", "a command must be an object"),
        (b'{"cmd": "x", "wait": false}', "refused", "no command has the argument 'wait'"),
        (b'{"cmd": "x", "name": 1}', "refused", "no command has the argument 'name'"),
        (b"\xff", "refused", "can't decode"),
        (b'{"cmd": "x", "a": "%s"}' % (b"b" * 9000), "refused", "longest"),
    ],
)
def test_command_that_is_none_is_answered_in_words(mqtt, data, error, text):
    async def main(broker, service, client, found):
        client.measure(WARM)
        await until(lambda: COMMAND in broker.subscribers, "the subscription")
        command(broker, 1, data)
        await until(lambda: broker.texts(RESULT), "the answer")
        answer = json.loads(broker.texts(RESULT)[0])
        assert answer["error"] == error and text in answer["text"] and not client.asked

    run(mqtt, main, sensors_commands=True)


def test_command_is_carried_out_at_most_once_and_answered_in_time(mqtt):
    async def main(broker, service, client, found):
        client.measure(WARM)
        await until(lambda: COMMAND in broker.subscribers, "the subscription")
        command(broker, 1, {"cmd": "pause"}, flags=10)
        await until(lambda: broker.texts(RESULT), "the answer")
        assert json.loads(broker.texts(RESULT)[0])["error"] == "repeated" and not client.asked
        client.silent = True
        command(broker, 2, {"cmd": "pause"}, expiry=1)
        await until(lambda: len(broker.texts(RESULT)) == 2, "the next answer")
        assert json.loads(broker.texts(RESULT)[1])["error"] == "timeout" and len(client.asked) == 1
        command(broker, 3, {"cmd": "pause"}, topic="pb_link/a/down")
        await until(lambda: found.log.of("mqtt_refused"), "the refusal")
        assert "one of the gateway's own" in found.log.of("mqtt_refused")[0]["reason"] and len(client.asked) == 1

    run(mqtt, main, sensors_commands=True)


def test_commands_are_bounded_and_the_next_ones_wait_at_the_broker(mqtt):
    from server.gateways.mqtt.sensor_commands import MAX_COMMANDS  # which needs the extra

    async def main(broker, service, client, found):
        client.measure(WARM)
        client.silent = True
        await until(lambda: COMMAND in broker.subscribers, "the subscription")
        for packet_id in range(1, MAX_COMMANDS + 2):
            command(broker, packet_id, {"cmd": "pause"}, expiry=2)
        await until(lambda: len(client.asked) == MAX_COMMANDS, "the commands")
        assert len(broker.acknowledged) == MAX_COMMANDS
        await until(lambda: len(broker.texts(RESULT)) == MAX_COMMANDS + 1, "all answers")

    run(mqtt, main, sensors_commands=True)


def test_commands_are_not_taken_unless_the_settings_say_so(mqtt):
    async def main(broker, service, client, found):
        client.measure(WARM)
        await told(broker, PLACE, 21.0)
        writer = broker._writers[-1]
        assert COMMAND not in broker.subscribers and broker.names[-1] == SENSORS
        broker.subscribers[COMMAND] = writer  # of a time when they were taken
        command(broker, 1, {"cmd": "pause"})
        await until(lambda: broker.acknowledged == [1], "the acknowledgement")
        assert not client.asked and not broker.texts(RESULT)

    run(mqtt, main)
