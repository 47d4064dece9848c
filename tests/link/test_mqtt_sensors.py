"""A sensor bus on the client, and what a real Mosquitto has of it: a sensor is plugged in, pulled, moved."""

import asyncio
import json

import pytest

import esp_link.bridge
from sensor_bus.bus import SensorBus
from sensor_bus.port import MachineI2C
from sensor_bus.records import Records, standard_records
from sensor_bus.service import SensorService
from tests.link.harness import System
from tests.link.test_link import QUICK
from tests.link.test_sensors import RegistersI2C, thermometer
from tests.peers import mosquitto
from tests.peers.mosquitto import Mosquitto
from tests.server.gateways.mqtt.bed import gateway
from tests.server.peer import until

SENSORS = "pb_link/a/sensor"
MCP, OTHER = f"{SENSORS}/1_18", f"{SENSORS}/1_1b"
CONFIG = "homeassistant/sensor/pb__link_2Fa_2Fsensor_2F1__%s_2FMCP9808/temperature/config"


@pytest.fixture
def mqtt(missing_tool, monkeypatch):
    """The gateway's module, which needs the extra. It asks for what is silent at once."""
    mosquitto.needed(missing_tool)
    try:
        from server.gateways.mqtt import gateway as mqtt
        from server.gateways.mqtt import sensor_devices, sensor_session
    except ModuleNotFoundError as error:
        missing_tool(f"{error}: pip install '.[mqtt]'")
    monkeypatch.setattr(sensor_session, "LOOK_S", 0.05)
    monkeypatch.setattr(sensor_devices, "SILENT_S", 0.2)
    monkeypatch.setattr(sensor_devices, "MAX_SILENT_S", 0.4)
    for name, ms in QUICK.items():
        monkeypatch.setattr(esp_link.bridge, name, ms)
    return mqtt


def test_sensor_is_shown_where_it_is_plugged_and_commands_reach_the_bus(mqtt, tmp_path):
    devices = {0x18: thermometer(336)}

    def last(topic):
        return next((text for found, text, _ in reversed(watcher.messages) if found == topic), None)

    def temperature(topic):
        return json.loads(last(topic))["values"]["temperature"] if last(topic) else None

    async def main():
        async with System() as system:
            await system.connected()
            bus = SensorBus(MachineI2C(RegistersI2C(devices)), Records(bytes(standard_records()._table)))
            service = SensorService(system.app, bus, hold_ms=20)
            settings = {"sensors": "a", "sensors_interval_s": 0, "sensors_commands": True}
            async with gateway(mqtt, broker, system.service, **settings):
                tasks = [asyncio.create_task(one) for one in (bus.run(), service.run())]
                try:
                    await follow(bus)
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)

    async def follow(bus):
        await until(lambda: temperature(MCP) == 21.0, "the first reading")
        assert last(f"{MCP}/status") == "online" and json.loads(last(CONFIG % 18))["device"]["model_id"] == "MCP9808"
        text = '{"cmd": "devconfig", "addr": 24, "interval_us": 20000}'
        await asyncio.to_thread(broker.publish, f"{SENSORS}/command", text)
        await until(lambda: last(f"{SENSORS}/result"), "the answer")
        assert json.loads(last(f"{SENSORS}/result")) == {"cmd": "devconfig"}
        moved = devices.pop(0x18)  # pulled
        await until(lambda: last(f"{MCP}/status") == "gone", "that it is gone")
        assert temperature(MCP) == 21.0 and last(CONFIG % 18), "its entities stay"
        devices[0x1B] = moved  # and plugged elsewhere
        bus.rescan()
        await until(lambda: temperature(OTHER) == 21.0, "the reading from its new place")
        await until(lambda: last(f"{MCP}/status") == "" and last(CONFIG % 18) == "", "the removal of the old one")
        assert last(f"{OTHER}/status") == "online" and last(CONFIG % "1b")

    with Mosquitto(tmp_path / "broker") as broker, broker.watch("#") as watcher:
        asyncio.run(main())
