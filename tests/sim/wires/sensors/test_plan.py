"""The file of --sensors."""

import json

import pytest

from sim.wires.sensors.plan import plan_of, populate, read_plan
from tests.sim.wires.sensors.rig import Rig


class Agenda(Rig):
    """A rig that remembers what is to happen."""

    def __init__(self):
        super().__init__()
        self.agenda = []
        self.sensors.at = lambda when, callback: self.agenda.append((when, callback))

    def until(self, now):
        self.now = now
        due, self.agenda = [one for one in self.agenda if one[0] <= now], [one for one in self.agenda if one[0] > now]
        for _, callback in sorted(due, key=lambda one: one[0]):
            callback()


def made(*devices):
    rig, log = Agenda(), []
    (planned,) = plan_of(list(devices)).devices.values()
    populate(rig.sensors, planned, log.append)
    return rig, log


def test_devices_are_where_the_file_says_in_any_order():
    rig, _ = made(
        {"type": "AHT20", "slot": 12, "values": {"temperature": [[0, 20.0], [60, 26.0]]}},
        {"type": "PCA9548A", "address": "0x71", "slot": 3},
        {"type": "PCA9548A"},
        {"type": "MCP9808", "address": 25, "identity": "0x0500", "name": "outside"},
        {"type": "INA219", "shunt_ohm": 0.01},
    )
    assert sorted(rig.sensors.present()) == [(0, 25), (0, 0x40), (0, 0x70), (3, 0x71), (12, 0x38)]
    assert rig.sensors["AHT20@38/12"].value("temperature", 10) == 21
    assert rig.sensors["outside"].device.identity == 0x0500
    assert rig.sensors["INA219@40/0"].device.shunt_ohm == 0.01


def test_power_and_slots_of_their_own():
    rig, _ = made(
        {"type": "PCA9548A", "first_slot": 41},
        {"type": "SHT40", "slot": 41},
        {"type": "PCA9535", "power": [{"slots": [41, 48], "on": {"0": 1}}], "floating": 1},
    )
    assert (41, 0x44) in rig.sensors.present()


def test_devices_come_move_and_go():
    rig, log = made(
        {"type": "PCA9548A"},
        {"type": "AHT20", "plug": [[10, True], [20, True, 2], [30, False]]},
        {"type": "SHT40", "plug": [[0, True, 1], [15, False]]},
        {"type": "TMP117", "plug": [[5, False]]},
    )
    seen = []
    for now in (1, 12, 22, 32):
        rig.until(now)
        seen.append(sorted(place for place in rig.sensors.present() if place[1] != 0x70))
    assert seen == [[(0, 0x48), (1, 0x44)], [(0, 0x38), (1, 0x44)], [(2, 0x38)], []]
    assert log == [
        "SHT40@44/0 plug 1", "TMP117@48/0 unplug", "AHT20@38/0 plug", "SHT40@44/0 unplug", "AHT20@38/0 plug 2",
        "AHT20@38/0 unplug",
    ]  # fmt: skip


def test_faults_happen_at_their_time():
    rig, _ = made({"type": "MCP9808", "faults": [[1, "nack", 2], [2, "stick_sda", 5], [3, "brown_out"]]})
    rig.until(1)
    assert [rig.answers(0x18) for _ in range(3)] == [False, False, True]
    rig.until(2)
    assert type(rig.registers(0x18, 5, 2)) is int and rig.sda.level == 0
    rig.until(3)
    assert rig.bus.idle()


def test_buses_and_their_pins():
    plan = plan_of(
        {
            "buses": {"a": {"scl": "X1", "sda": "X2"}, "b": {"scl": "X3", "sda": "X4", "reset": "X5"}},
            "devices": [{"type": "AHT20", "bus": "b"}],
        }
    )
    assert plan.buses["b"]["reset"] == "X5"
    assert {name: len(devices) for name, devices in plan.devices.items()} == {"a": 0, "b": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "the file is to be an object"),
        ({"sensors": []}, "the file has no 'sensors': buses, devices"),
        ({"devices": {}}, "devices is to be a list"),
        ({"buses": {"a": {"tx": "X1"}}, "devices": []}, "bus a has no 'tx': reset, scl, sda"),
        ([{}], "device 1: it has no type"),
        ([{"type": "AHT20"}, {"type": "AHT20", "adress": 3}], "device 2: a device has no 'adress'"),
        ([{"type": "AHT20", "bus": "other"}], "device 1: there is no bus 'other' in buses"),
        ([{"type": "AHT20", "address": "0xz"}], "address is a number, or text"),
        ([{"type": "AHT20", "plug": [[1]]}], "plug is a list"),
        ([{"type": "AHT20", "plug": [[1, False, 3]]}], "plug is a list"),
        ([{"type": "AHT20", "plug": [[-1, True]]}], "plug is a list"),
        ([{"type": "AHT20", "faults": [[1, "explode"]]}], "a fault is"),
        ([{"type": "AHT20", "faults": [[1, "nack", "2"]]}], "a fault is"),
    ],
)
def test_what_is_wrong_is_said(data, message):
    with pytest.raises(ValueError, match=message):
        plan_of(data)


def test_slot_that_there_is_not_is_found_before_the_run():
    with pytest.raises(ValueError, match="slot 4 is no channel"):
        made({"type": "AHT20", "plug": [[10, True, 4]]})


def test_file_is_named_where_it_is_wrong(tmp_path):
    path = tmp_path / "s.json"
    path.write_text("[{]")
    with pytest.raises(ValueError, match="s.json: Expecting"):
        read_plan(path)
    path.write_text(json.dumps([{"type": "AHT20"}]))
    assert len(read_plan(path).devices["i2c1"]) == 1
