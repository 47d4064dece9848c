"""What MQTT is told of a client's devices: as they come, go, change and move, with the limits of what is kept."""

import json
import random

import pytest

from sensor_bus.publish import PENDING_DELETION
from sensor_bus.records import standard_records
from server.core.sensors import reading_of
from server.gateways.mqtt.sensor_devices import (
    EARLY,
    MAX_DEVICES,
    MAX_NOTE,
    MAX_SILENT_S,
    MOVED_S,
    SILENT_S,
    Moment,
    SensorDevices,
)
from server.gateways.mqtt.sensor_discovery import config_topic
from tests.server.gateways.mqtt.sensor_client import COLD, RECORDS, WARM, thermometer

BASE, TOPIC = "pb_link/a", "pb_link/a/sensor"
UTC = 1_700_000_000.0
FORGET_S = 1000
MCP = "homeassistant/sensor/pb__link_2Fa_2Fsensor_2F1__{}_2FMCP9808/temperature/config"


class Bed:
    """Devices, at a time that the test moves."""

    def __init__(self, interval_s=0, prefix="homeassistant", infos=None):
        self.infos = infos or {}
        self.prefix, self.interval_s = prefix, interval_s
        self.now = 0.0
        self.number = 0
        self.devices = self.fresh()

    def fresh(self):
        def info_of(name):
            return self.infos.get(name) or (RECORDS.info_by_name(name) if name in NAMES else None)

        return SensorDevices(
            "a", BASE, self.prefix, interval_s=self.interval_s, forget_s=FORGET_S, info_of=info_of
        )  # fmt: skip

    @property
    def moment(self):
        return Moment(50 + self.now, UTC + self.now)

    def take(self, address=0x18, data=WARM, kind="MCP9808", after_s=1.0, **more):
        """Publications of a reading that comes so long after the last one."""
        self.now += after_s
        info = self.devices._info_of(kind) if kind else None
        reading, = reading_of(1, address, kind, UTC + self.now, info, data, number=self.number)
        self.number += 1
        return self.devices.take(reading._replace(**more), 0, self.moment)

    def lose(self, *addresses, after_s=1.0):
        """The client says that these are not there."""
        self.now += after_s
        names = {f"1_{address:x}" for address in addresses}
        return self.devices.asked(names, 1, set(), self.moment, self.moment)


NAMES = {RECORDS.name(number) for number in range(len(RECORDS))}


def told(publications):
    """[(end of the topic, text)], the messages for Home Assistant as "config" or ""."""
    assert all(one.retain for one in publications)
    found = []
    for one in publications:
        text = one.payload.decode()
        if one.topic.startswith("homeassistant"):
            found.append(("config", one.topic if text else ""))
        else:
            assert one.topic.startswith(TOPIC)
            found.append((one.topic[len(TOPIC) + 1 :], text))
    return found


def words(publications):
    return [(topic, text) for topic, text in told(publications) if not text.startswith("{")]


def members(publications):
    return [json.loads(one.payload) for one in publications if one.what == "reading" and one.payload]


def test_first_reading_brings_entities_status_and_values_and_the_next_one_values_alone():
    bed = Bed()
    first = bed.take()
    assert [topic for topic, _ in told(first)] == ["config", "1_18/status", "1_18"]
    assert told(first)[0][1] == MCP.format("18") and told(first)[1][1] == "online"
    assert members(first) == [
        {"time": UTC + 1, "type": "MCP9808", "status": "online", "values": {"temperature": 21.0}, "invalid": [],
         "left_out": 0}
    ]  # fmt: skip
    second, = bed.take(data=COLD)
    assert members([second])[0]["values"] == {"temperature": -3.25}
    assert second.properties == (("number", "1"), ("index", "0"))


def test_value_that_is_not_to_be_trusted_is_null_and_named():
    bed = Bed()
    found, = members(bed.take(data=thermometer(200 * 16)))
    assert (found["values"], found["invalid"]) == ({"temperature": None}, ["temperature"])
    odd = {"a": float("inf"), "b": [1.0, float("nan")], "c": [1, 2], "d": "x"}
    found, = members(bed.take(values=odd, invalid=("d",)))
    assert found["values"] == {"a": None, "b": None, "c": [1, 2], "d": None} and found["invalid"] == ["d", "a", "b"]


def test_type_without_a_name_is_one_that_nobody_can_explain():
    bed = Bed()
    assert [topic for topic, _ in told(bed.take(kind=None))] == ["1_18/status", "1_18"]
    note, bed.devices = bed.devices.note(), bed.fresh()
    bed.devices.restore(note, bed.moment)
    assert told(bed.devices.all()) == [("1_18/status", "online")]


def test_reading_without_an_explanation_has_its_bytes_and_entities_come_with_the_explanation():
    bed = Bed()
    first = bed.take(kind="Mine", data=b"\x00\x64")
    assert [topic for topic, _ in told(first)] == ["1_18/status", "1_18"]
    assert members(first)[0]["values"] == {} and members(first)[0]["raw"] == "0064"
    bed.infos["Mine"] = {"resp": {"b": 2, "a": [{"n": "level", "t": ">H"}, {"n": "x", "t": "b", "at": 0}]}}
    second = bed.take(kind="Mine", data=b"\x00\x64")
    assert [topic for topic, _ in told(second)] == ["config", "config", "1_18"] and "raw" not in members(second)[0]
    bed.infos["Mine"] = {"resp": {"b": 2, "a": [{"n": "level", "t": ">H", "u": "mm"}]}}
    (_, removed), (_, changed), (topic, _) = told(bed.take(kind="Mine", data=b"\x00\x64"))
    assert removed == "" and changed.endswith("/level/config") and topic == "1_18"


@pytest.mark.parametrize("interval_s", [0, 1, 10])
def test_readings_are_as_far_apart_as_the_setting_says_and_none_is_uncounted(interval_s):
    bed = Bed(interval_s)
    times, left_out, count = [], 0, 500
    for _ in range(count):
        for found in members(bed.take(after_s=0.1)):
            times.append(found["time"])
            left_out += found["left_out"]
    last = bed.devices._devices["1_18"].left_out
    assert len(times) + left_out + last == count
    assert all(later - time >= interval_s * (1 - EARLY) - 1e-3 for time, later in zip(times, times[1:]))
    assert len(times) >= count * 0.1 / max(interval_s, 0.1)


def test_device_that_is_polled_as_often_as_is_published_loses_no_reading_by_jitter():
    bed = Bed(1)
    assert sum(len(members(bed.take(after_s=1.0 + jitter))) for jitter in (0, -0.01, 0.02, -0.02, 0.01) * 10) == 50


def test_time_that_goes_back_holds_up_no_reading():
    bed = Bed(10)
    bed.take()
    assert members(bed.take(time=UTC - 3600.0)) and not members(bed.take(time=UTC - 3599.0))


def test_device_that_is_unplugged_keeps_its_entities_and_is_back_where_it_was():
    bed = Bed(3600)
    bed.take()
    assert told(bed.lose(0x18)) == [("1_18/status", "gone")] and bed.lose(0x18) == []
    back = bed.take(data=COLD)
    assert words(back) == [("1_18/status", "online")] and members(back)[0]["values"] == {"temperature": -3.25}


def test_client_that_says_it_of_a_sample_is_believed():
    bed = Bed()
    assert bed.take(status=PENDING_DELETION) == [] and len(bed.devices) == 0
    bed.take()
    assert told(bed.take(status=PENDING_DELETION)) == [("1_18/status", "gone")]


def test_another_type_at_its_place_removes_the_entities_of_the_first():
    bed = Bed()
    bed.take(0x44, b"\x66\x66", "MCP9808")
    found = told(bed.take(0x44, bytes(6), "SHT40"))
    assert found[:3] == [("config", ""), ("1_44", ""), ("1_44/status", "")]
    assert [topic for topic, _ in found[3:]] == ["config", "config", "1_44/status", "1_44"]
    assert "SHT40" in found[3][1] and found[5] == ("1_44/status", "online")


@pytest.mark.parametrize("gone_first", [True, False])
def test_device_that_is_plugged_elsewhere_is_removed_where_it_was(gone_first):
    bed = Bed()
    bed.take(0x118)
    if gone_first:
        assert words(bed.lose(0x118)) == [("1_118/status", "gone")]
        found = bed.take(0x218)
        assert words(found)[-3:] == [("config", ""), ("1_118", ""), ("1_118/status", "")]
    else:
        assert ("config", "") not in told(bed.take(0x218))
        found = told(bed.lose(0x118))
        assert found == [("1_118/status", "gone"), ("config", ""), ("1_118", ""), ("1_118/status", "")]
    assert list(bed.devices._devices) == ["1_218"]
    assert words(bed.take(0x118))[0] == ("config", MCP.format("118"))  # and back
    assert ("1_218/status", "") in told(bed.lose(0x218))


def test_device_is_not_taken_for_one_that_was_there_before_or_came_late_or_is_of_another_type():
    for others in ([(0x218, "MCP9808", -1)], [(0x218, "MCP9808", MOVED_S + 1)], [(0x48, "TMP117", 1)]):
        bed = Bed()
        for address, kind, after_s in others:
            if after_s < 0:
                bed.take(address, kind=kind)
            bed.take(0x118)
            bed.lose(0x118)
            found = bed.take(address, bytes(2), kind, after_s=abs(after_s))
            assert ("config", "") not in told(found) and "1_118" in bed.devices._devices


@pytest.mark.parametrize("gone_first", [True, False])
@pytest.mark.parametrize("after_s", [1, MOVED_S + 1])
def test_device_that_was_plugged_elsewhere_while_the_server_was_down_is_removed_where_it_was(gone_first, after_s):
    bed = Bed()
    bed.take(0x118)
    bed.take(0x418)  # stays
    note = bed.devices.note()
    bed.now += 7200
    bed.devices = bed.fresh()
    bed.devices.restore(note, bed.moment)
    bed.take(0x418)
    if gone_first:
        assert words(bed.lose(0x118)) == [("1_118/status", "gone")]
    found = told(bed.take(0x218, after_s=after_s))
    if not gone_first:
        found = told(bed.lose(0x118))
    assert (found[-3:] == [("config", ""), ("1_118", ""), ("1_118/status", "")]) == (after_s == 1)
    assert ("1_118" in bed.devices._devices) == (after_s != 1) and "1_418" in bed.devices._devices


def test_of_two_that_are_gone_nobody_knows_which_was_plugged_elsewhere():
    bed = Bed()
    bed.take(0x118)
    bed.take(0x218)
    bed.lose(0x118, 0x218)
    assert ("config", "") not in told(bed.take(0x318)) and len(bed.devices) == 3


def test_service_that_was_silent_makes_no_device_one_that_was_plugged_elsewhere():
    bed = Bed()
    bed.take(0x218)
    bed.take(0x118)
    offline = bed.devices.asked({"1_118", "1_218"}, None, None, bed.moment, bed.moment)
    assert told(offline) == [("1_218/status", "offline"), ("1_118/status", "offline")]
    assert words(bed.take(0x218)) == [("1_218/status", "online")]
    assert told(bed.lose(0x118)) == [("1_118/status", "gone")] and len(bed.devices) == 2


def test_what_is_silent_is_asked_for_at_longer_and_longer_intervals():
    bed = Bed()
    bed.take()
    asked_at = []
    for second in range(1, int(4 * MAX_SILENT_S)):
        bed.now += 1
        silent = bed.devices.silent(bed.moment)
        if silent:
            asked_at.append(second)
            assert bed.devices.asked(silent, 1, {"1_18"}, bed.moment, bed.moment) == []
    gaps = [later - time for time, later in zip([0] + asked_at, asked_at)]
    assert gaps[:3] == [SILENT_S, 2 * SILENT_S, 4 * SILENT_S] and max(gaps) == MAX_SILENT_S
    bed.take(after_s=100)  # it comes every so often
    bed.take(after_s=100)
    bed.now += 199
    assert not bed.devices.silent(bed.moment)
    bed.now += 1
    assert bed.devices.silent(bed.moment) == {"1_18"}
    bed.devices.postpone(bed.moment)
    assert not bed.devices.silent(bed.moment)


def test_reading_that_comes_while_the_client_is_asked_counts_more_than_the_answer():
    bed = Bed()
    bed.take()
    since = bed.moment
    bed.take()
    assert bed.devices.asked({"1_18", "unknown"}, 1, set(), since, bed.moment) == []
    assert bed.devices.asked({"1_18"}, 2, set(), bed.moment, bed.moment) == []  # the answer is about another bus


def test_what_was_gone_for_long_enough_is_removed():
    bed = Bed()
    bed.take(0x19)
    bed.take()
    bed.lose(0x18)
    bed.now += FORGET_S - 1
    assert bed.devices.forget(bed.moment) == []
    bed.now += 1
    found = told(bed.devices.forget(bed.moment))
    assert found == [("config", ""), ("1_18", ""), ("1_18/status", "")] and len(bed.devices) == 1


def test_note_keeps_what_is_needed_to_remove_and_to_tell_again():
    bed = Bed()
    bed.take()
    bed.take(0x44, bytes(6), "SHT40")
    bed.lose(0x44)
    assert bed.devices.unsaved
    note = bed.devices.note()
    assert "\n" not in note
    bed.devices = bed.fresh()
    bed.devices.restore(note, bed.moment)
    assert bed.devices.note() == note and not bed.devices.unsaved
    found = told(bed.devices.all())
    assert found == [("config", MCP.format("18")), ("1_18/status", "online"), ("1_44/status", "gone")]
    assert [one[0] for one in told(bed.take())] == ["1_18"]  # the entities have been told
    bed.now += FORGET_S
    removed = told(bed.devices.forget(bed.moment))
    assert removed == [("config", "")] * 2 + [("1_44", ""), ("1_44/status", "")]
    assert Bed().devices.note() == ""


@pytest.mark.parametrize(
    "note", ["{", "5", "[5]", "[[1]]", '[["1_18","T",null,[],[],[]]]', '[["1_18","T",null,[{}],[]]]']
)
def test_note_of_another_version_is_an_error_and_changes_nothing(note):
    bed = Bed()
    bed.take()
    with pytest.raises(ValueError):
        bed.devices.restore(note, bed.moment)
    assert len(bed.devices) == 1


def test_broker_that_forgot_is_told_all_but_the_entities_of_what_is_gone():
    bed = Bed()
    bed.take(0x19)
    bed.take(data=COLD)
    bed.lose(0x18)
    found = bed.devices.all()
    assert [topic for topic, _ in told(found)] == ["config", "1_19/status", "1_19", "1_18/status", "1_18"]
    assert members(found)[1]["values"] == {"temperature": -3.25}
    assert found[-1].properties == (("number", "1"), ("index", "0"))


def test_client_is_told_once_and_again_when_its_announcement_changes_or_the_broker_forgot():
    devices = Bed().devices
    first, = devices.of_client({})
    assert json.loads(first.payload)["device"]["name"] == "a" and devices.of_client({}) == []
    second, = devices.of_client({"name": "Mast"})
    assert json.loads(second.payload)["device"]["name"] == "Mast"
    devices.forget_client()
    assert devices.of_client({"name": "Mast"}) == [second]
    devices.refused(second)
    assert devices.of_client({}) == [] and Bed(prefix="").devices.of_client({}) == []


def test_without_home_assistant_there_are_readings_and_statuses_alone():
    bed = Bed(prefix="")
    assert [topic for topic, _ in told(bed.take())] == ["1_18/status", "1_18"]
    bed.lose(0x18)
    bed.now += FORGET_S
    assert told(bed.devices.forget(bed.moment)) == [("1_18", ""), ("1_18/status", "")]


def test_what_the_broker_does_not_take_is_not_told_again():
    bed = Bed()
    for publication in bed.take():
        bed.devices.refused(publication)
    assert told(bed.devices.all()) == [("1_18/status", "online")]
    assert len(members(bed.take())) == 1


def test_devices_of_a_client_are_bounded_in_number_and_bytes():
    bed = Bed()
    for slot in range(MAX_DEVICES):
        bed.take(0x18 | slot << 8)
    with pytest.raises(ValueError, match=f"1_19 is one too many: {MAX_DEVICES} devices"):
        bed.take(0x19)
    assert bed.take(0x18) and len(bed.devices) == MAX_DEVICES and len(bed.devices.note()) <= MAX_NOTE
    bed = Bed(infos={"L" * 255: standard_records().info_by_name("AHT20")})
    with pytest.raises(ValueError, match=f"more than {MAX_NOTE} bytes"):
        for slot in range(MAX_DEVICES):
            bed.take(0x18 | slot << 8, bytes(7), "L" * 255)
    assert len(bed.devices.note()) <= MAX_NOTE


def test_device_whose_entities_have_no_room_has_readings_alone():
    many = {"resp": {"b": 2, "a": [{"n": "%064d" % number, "t": "<H", "at": 0} for number in range(64)]}}
    bed = Bed(infos={"Many": many})
    found = [told(bed.take(0x18 | slot << 8, WARM, "Many")) for slot in range(3)]
    counts = [sum(topic == "config" for topic, _ in one) for one in found]
    assert counts == [64, 0, 0] and len(bed.devices.note()) <= MAX_NOTE


@pytest.mark.parametrize("seed", range(12))
def test_what_is_retained_is_what_is_known_whatever_happens(seed):
    """The broker has no topic of a device that is not known, and of each the status and entities that it has."""
    rng = random.Random(seed)
    bed, retained = Bed(rng.choice((0, 1, 100))), {}
    for _ in range(200):
        what = rng.random()
        address = rng.choice((0x18, 0x19, 0x118, 0x218))
        if what < 0.6:
            kind, data = rng.choice((("MCP9808", WARM), ("MCP9808", COLD), ("SHT40", bytes(6)), (None, b"x")))
            found = bed.take(address, data, kind, after_s=rng.choice((0.01, 1, 500)))
        elif what < 0.8:
            found = bed.lose(address)
        elif what < 0.9:
            found = bed.devices.asked({f"1_{address:x}"}, None, None, bed.moment, bed.moment)
        elif what < 0.95:
            bed.now += rng.choice((1, FORGET_S / 3))
            found = bed.devices.forget(bed.moment)
        else:  # the next process
            note, bed.devices = bed.devices.note(), bed.fresh()
            bed.devices.restore(note, bed.moment)
            found = bed.devices.all()
        for one in found:
            retained[one.topic] = one.payload
        retained = {topic: payload for topic, payload in retained.items() if payload}
        check_retained(retained, bed.devices._devices)


def check_retained(retained, devices):
    wanted = set()
    for name, one in devices.items():
        assert retained[f"{TOPIC}/{name}/status"].decode() == one.status
        members = json.loads(retained[f"{TOPIC}/{name}"])
        assert members["type"] == one.type
        wanted |= {f"{TOPIC}/{name}", f"{TOPIC}/{name}/status"}
        for attribute, kind in one.shown.items():
            topic = config_topic("homeassistant", f"{TOPIC}/{name}", one.type, attribute, kind)
            assert json.loads(retained[topic])["device"]["model_id"] == one.type
            wanted.add(topic)
    assert set(retained) == wanted
