"""The sensors of a client at a broker that does what the test says."""

import asyncio
import json
import random

import pytest

from protocol.errors import StoreError
from server import MemoryStore
from server.core.sensors import SAMPLES
from tests.server.gateways.mqtt.bed import gateway
from tests.server.gateways.mqtt.sensor_bed import (
    CONFIG,
    PLACE,
    SENSORS,
    STATUS,
    batches,
    connected,
    places,
    run,
    temperatures,
    told,
    with_sensors,
)
from tests.server.gateways.mqtt.sensor_client import COLD, WARM, thermometer
from tests.server.peer import Service, until, within
from tests.server.scripted_broker import ScriptedBroker


@pytest.fixture
def impatient(mqtt, monkeypatch):
    """What is silent for a moment is asked for at once."""
    from server.gateways.mqtt import sensor_devices, sensor_session

    monkeypatch.setattr(sensor_session, "LOOK_S", 0.01)
    monkeypatch.setattr(sensor_devices, "SILENT_S", 0.02)
    monkeypatch.setattr(sensor_devices, "MAX_SILENT_S", 0.05)


def test_readings_are_published_in_order_with_their_numbers(mqtt):
    async def main(broker, service, client, found):
        client.measure([WARM, COLD])
        client.measure(thermometer(0))
        await told(broker, PLACE, 21.0, -3.25, 0.0)
        (first, index), second, third = places(broker)
        assert (index, second, third[1]) == (0, (first, 1), 0) and third[0] > first
        members = json.loads(broker.texts(PLACE)[0])
        assert members["type"] == "MCP9808" and members["status"] == "online" and members["invalid"] == []
        assert broker.texts(STATUS) == ["online"]
        assert all(retain for topic, _, retain, _ in broker.published if topic.startswith(SENSORS))
        assert not service.connection().sensors().refused

    run(mqtt, main)


def test_configuration_comes_first_and_once_and_names_the_client_that_it_refers_to(mqtt):
    async def main(broker, service, client, found):
        client.measure(WARM)
        client.measure(COLD)
        await told(broker, PLACE, 21.0, -3.25)
        topics = [one[0] for one in broker.published if "sensor" in one[0]]
        of_client = next(one for one in topics if one.endswith("/client/config"))
        wanted = [of_client, CONFIG, STATUS, PLACE, PLACE]
        assert [one for one in topics if one != f"{SENSORS}/status"] == wanted
        config, = broker.texts(CONFIG)
        device, = broker.texts(of_client)
        assert json.loads(config)["device"]["via_device"] in json.loads(device)["device"]["identifiers"]

    run(mqtt, main)


def test_announcement_of_the_client_changes_the_device_that_the_sensors_refer_to(mqtt):
    async def main(broker, service, client, found):
        client.measure(WARM)
        await told(broker, PLACE, 21.0)
        await client.write('{"announce": "device", "name": "Mast"}')
        topic = "homeassistant/binary_sensor/pb__link_2Fa_2Fsensor/client/config"
        await until(lambda: found.counts["published_total"] >= 2, "the announcement")
        client.measure(COLD)
        await until(lambda: len(broker.texts(topic)) == 2, "the device again")
        assert [json.loads(text)["device"]["name"] for text in broker.texts(topic)] == ["a", "Mast"]

    run(mqtt, main)


def test_samples_leave_the_store_when_the_broker_has_their_readings(mqtt):
    async def main(broker, service, client, found):
        client.measure([WARM, COLD])
        client.measure(WARM)
        await until(lambda: broker.texts(PLACE), "the first reading")
        await until(lambda: len(kept()) == 2, "both batches")
        broker.acknowledge()
        await told(broker, PLACE, 21.0, -3.25)
        assert len(kept()) == 2
        broker.answer = lambda topic: 0
        broker.acknowledge()
        await until(lambda: not kept(), "the removal of the batches")
        assert temperatures(broker) == [21.0, -3.25, 21.0]

    def kept():
        return batches(store)

    store = MemoryStore()
    run(mqtt, main, store, {"answer": lambda topic: None if topic == PLACE else 0})


def test_reading_that_was_not_acknowledged_is_published_again_on_the_next_connection(mqtt):
    async def main(broker, service, client, found):
        for sixteenths in range(5):
            client.measure(thermometer(sixteenths * 16))
        await until(lambda: broker.texts(PLACE), "the first reading")
        broker.answer = lambda topic: 0
        broker.cut()
        await until(lambda: 4.0 in temperatures(broker), "the last one")
        assert list(dict.fromkeys(temperatures(broker))) == [0.0, 1.0, 2.0, 3.0, 4.0]
        numbers = places(broker)
        assert numbers[0] == numbers[1] and numbers == sorted(numbers) and len(set(numbers)) == 5

    run(mqtt, main, None, {"answer": lambda topic: None if topic == PLACE else 0})


def test_samples_wait_in_the_store_while_there_is_no_broker_and_over_the_end_of_the_server(mqtt):
    async def main():
        store = MemoryStore()
        async with ScriptedBroker(code=0x88) as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service, sensors="a", sensors_interval_s=0) as found:
                async with with_sensors(service) as client:
                    for sixteenths in range(3):
                        client.measure(thermometer(sixteenths * 16))
                    await within(client.accepted())
                    await until(lambda: found.log.of("mqtt_lost"), "the refusal")
            assert len(batches(store)) == 3
            broker.code = 0
            async with gateway(mqtt, broker, service, sensors="a", sensors_interval_s=0):
                await told(broker, PLACE, 0.0, 1.0, 2.0)

    asyncio.run(main())


def test_reading_of_the_same_interval_is_left_out_and_leaves_the_store(mqtt):
    async def main(broker, service, client, found):
        for sixteenths in range(5):
            client.measure(thermometer(sixteenths * 16), after_ms=100)
        client.measure(WARM, address=0x19)
        await told(broker, f"{SENSORS}/1_19", 21.0)
        assert temperatures(broker) == [0.0]
        await until(lambda: not batches(store), "the removal of the batches")

    store = MemoryStore()
    run(mqtt, main, store, sensors_interval_s=3600)


def test_device_that_is_unplugged_is_gone_and_online_again_where_it_was(mqtt, impatient):
    async def main(broker, service, client, found):
        client.measure(WARM)
        await told(broker, PLACE, 21.0)
        await until(lambda: client.asked, "the question")
        assert broker.texts(STATUS) == ["online"]
        del client.there[0x18]
        await broker.has(STATUS, ["online", "gone"])
        client.measure(COLD)
        await told(broker, PLACE, 21.0, -3.25)
        assert broker.texts(STATUS)[:3] == ["online", "gone", "online"] and len(broker.texts(CONFIG)) == 1
        assert {one["cmd"] for one in client.asked} == {"listdevs"}

    run(mqtt, main)


def test_device_that_is_plugged_elsewhere_is_removed_from_its_old_place(mqtt, impatient):
    async def main(broker, service, client, found):
        client.measure(WARM)
        await told(broker, PLACE, 21.0)
        del client.there[0x18]
        client.measure(COLD, address=0x219)
        await told(broker, f"{SENSORS}/1_219", -3.25)
        await until(lambda: broker.texts(CONFIG)[1:] == [""], "the removal")
        await broker.has(STATUS, ["online", "gone", ""])
        assert temperatures(broker) == [21.0, None]

    run(mqtt, main)


@pytest.mark.parametrize("answer", [{"error": "bus_error", "text": "?"}, {"devs": 3}, {"bus": 1, "devs": [[1]]}])
def test_device_is_offline_if_nothing_comes_and_the_service_cannot_say_why(mqtt, impatient, answer):
    async def main(broker, service, client, found):
        client.answers["listdevs"] = answer
        client.measure(WARM)
        await broker.has(STATUS, ["online", "offline"])
        client.measure(COLD)
        await until(lambda: broker.texts(STATUS)[:3] == ["online", "offline", "online"], "the return")

    run(mqtt, main)


def test_client_that_is_absent_is_not_asked(mqtt, impatient):
    async def main(broker, service, client, found):
        client.silent = True
        client.measure(WARM)
        await told(broker, PLACE, 21.0)
        await until(lambda: client.asked, "a question")
        client.cut()
        await until(lambda: broker.texts("pb_link/a/status")[-1] == "offline", "the end")
        count = len(client.asked)
        await asyncio.sleep(0.1)
        assert broker.texts(STATUS) == ["online"] and len(client.asked) == count

    run(mqtt, main)


def test_devices_outlive_the_gateway_and_a_broker_that_forgets(mqtt):
    async def main():
        store = MemoryStore()
        async with ScriptedBroker() as broker, Service(store=store) as service:
            async with gateway(mqtt, broker, service, sensors="all", sensors_interval_s=0):
                async with with_sensors(service) as client:
                    client.measure(WARM)
                    await told(broker, PLACE, 21.0)
                    broker.published.clear()
                    broker.cut()  # and it has forgotten all
                    await told(broker, PLACE, 21.0)
                    assert len(broker.texts(CONFIG)) == 1 and broker.texts(STATUS) == ["online"]
                    broker.published.clear()
            assert broker.texts(f"{SENSORS}/status")[-1] == "offline"
            async with gateway(mqtt, broker, service, sensors="all", sensors_interval_s=0):
                await broker.has(STATUS, ["online"])
                assert len(broker.texts(CONFIG)) == 1 and broker.texts(f"{SENSORS}/status")[-1] == "online"

    asyncio.run(main())


def test_end_comes_whenever_it_is_asked_for_and_loses_nothing(mqtt):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    sent = []

    async def main():
        async with ScriptedBroker() as broker, Service() as service:
            client = None
            for _ in range(60):
                async with gateway(mqtt, broker, service, sensors="all", sensors_interval_s=0) as found:
                    client = client or await connected(service)
                    batch = range(len(sent), len(sent) + rng.randint(1, 4))
                    sent.extend(batch)
                    client.measure([thermometer(number) for number in batch], after_ms=10)
                    await asyncio.sleep(rng.uniform(0, 0.03))
                    if rng.random() < 0.3:
                        broker.cut()
                assert found.counts["connected"] == 0
            async with gateway(mqtt, broker, service, sensors="all", sensors_interval_s=0):
                client.measure(thermometer(0), address=0x19)
                await told(broker, f"{SENSORS}/1_19", 0.0)
                assert [round(16 * one) for one in dict.fromkeys(temperatures(broker))] == sent
            client.cut()

    asyncio.run(main())


def test_device_that_is_gone_for_long_is_removed(mqtt, impatient):
    async def main(broker, service, client, found):
        client.measure(WARM)
        await told(broker, PLACE, 21.0)
        del client.there[0x18]
        await broker.has(STATUS, ["online", "gone", ""])
        assert len(broker.texts(CONFIG)) == 2 and broker.texts(CONFIG)[1] == ""
        await until(lambda: service.connection().notes.get("mqtt_sensors") == "", "the note")

    run(mqtt, main, sensors_forget_s=0)


def test_what_comes_up_while_the_last_publication_ends_waits_for_no_reading(mqtt):
    async def main(broker, service, client, found):
        client.measure(WARM)
        await told(broker, PLACE, 21.0)
        session = found._channels["a"][SAMPLES]
        late = session._devices.all()[-2:-1]  # the status, again

        async def done_with(place):
            session._put([late.pop()] if late else [])

        session._done_with = done_with
        client.measure(COLD)
        await broker.has(STATUS, ["online", "online"])
        assert broker.connections == 2 and not late

    run(mqtt, main)


def test_client_that_is_not_named_and_one_without_sensors_have_no_session(mqtt):
    async def main(broker, service, client, found):
        client.measure(WARM)
        await within(client.accepted())
        await client.write("x")
        await broker.has("pb_link/a/up", ["x"])
        assert not any("sensor" in one[0] for one in broker.published) and broker.names == ["pb_link/a"]

    run(mqtt, main, sensors="")
    run(mqtt, main, sensors="b")


def test_reading_that_the_broker_does_not_take_is_told_and_stops_no_other(mqtt):
    async def main(broker, service, client, found):
        broker.payload_limit = 60
        client.measure(WARM)
        await until(lambda: len(found.log.of("mqtt_refused")) == 3, "the refusals")
        broker.payload_limit = None
        client.measure(COLD)
        await until(lambda: -3.25 in temperatures(broker), "the next reading")
        assert [one["what"] for one in found.log.of("mqtt_refused")] == ["announcement", "announcement", "reading"]
        assert not found.log.of("mqtt_lost") and found.log.of("mqtt_refused")[0]["channel"] == "sensors"

    run(mqtt, main)


def test_device_that_is_one_too_many_is_told_and_stops_no_other(mqtt, monkeypatch):
    from server.gateways.mqtt import sensor_devices

    monkeypatch.setattr(sensor_devices, "MAX_DEVICES", 1)

    async def main(broker, service, client, found):
        client.measure(WARM)
        client.measure(WARM, address=0x19)
        client.measure(COLD)
        await told(broker, PLACE, 21.0, -3.25)
        one, = found.log.of("mqtt_refused")
        assert one["what"] == "sensor" and "1_19 is one too many" in one["reason"]
        assert not any("1_19" in topic or "1__19" in topic for topic, *_ in broker.published)

    run(mqtt, main)


def test_broker_that_ends_the_connection_for_a_reading_is_not_asked_for_ever(mqtt):
    async def main(broker, service, client, found):
        client.measure(WARM)
        await until(lambda: [one for one in found.log.of("mqtt_refused") if one["what"] == "reading"], "the refusal")
        client.measure(COLD)
        await until(lambda: len(found.log.of("mqtt_refused")) == 2, "the next one's")
        broker.payload_limit = None
        count = len(temperatures(broker))  # two, and more if the broker's reason was lost with the connection
        broker.cut()
        client.measure(thermometer(0))
        await until(lambda: temperatures(broker)[count:], "the reading after them")
        assert temperatures(broker)[count:] == [0.0]

    run(mqtt, main, None, {"payload_limit": 100, "too_large": None}, discovery="")


def test_other_subscriber_gets_every_reading_too(mqtt):
    async def main(broker, service, client, found):
        client.measure(WARM)
        await told(broker, PLACE, 21.0)
        readings = service.connection().sensors().readings()
        for sixteenths in range(5):
            client.measure(thermometer(sixteenths * 16))
        got = [(await within(anext(readings))).values["temperature"] for _ in range(5)]
        readings.close()
        await told(broker, PLACE, 21.0, *got)

    run(mqtt, main)


def test_store_that_fails_and_comes_back_loses_no_reading(mqtt):
    async def main(broker, service, client, found):
        session = found._channels["a"][SAMPLES]
        client.measure(WARM)
        await told(broker, PLACE, 21.0)
        session._readings.fail(StoreError("no disk"))
        await until(lambda: any("no disk" in one["error"] for one in found.log.of("mqtt_lost")), "the fault")
        client.measure(COLD)
        await until(lambda: temperatures(broker)[-1] == -3.25, "the next reading")
        assert list(dict.fromkeys(temperatures(broker))) == [21.0, -3.25]

    run(mqtt, main)
