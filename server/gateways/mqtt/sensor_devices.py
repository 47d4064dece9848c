"""The devices on one client's sensor bus, as MQTT shows them: what is published of each reading, of a device that
comes, is unplugged, is replaced or plugged elsewhere, and what is kept of it over restarts. No input or output here.

A device is a place and a type. Its status is retained:

    online     its readings come
    offline    the client's service does not answer, and no reading comes: nobody knows
    gone       the client says that it is not there

One that is gone keeps its entities in Home Assistant, as unavailable, since who unplugs a sensor mostly plugs it in
again. They are removed if another type is at its place, if it was plugged elsewhere (see `_moved`), or after a time.
"""

import json
import math
from collections import namedtuple

from sensor_bus.publish import ONLINE as POLLED
from server.gateways.mqtt.entities import Publication
from server.gateways.mqtt.sensor_discovery import (
    BINARY,
    SENSOR,
    client_message,
    client_topic,
    components,
    config_messages,
    config_topic,
)
from server.gateways.mqtt.topics import sensors_topic

ONLINE, OFFLINE, GONE = "online", "offline", "gone"

MAX_DEVICES = 64  # of a client: a bus has 50
MAX_NOTE = 8192  # bytes of what is kept of a client's devices: the store writes it with each change of the client
SILENT_S = 3.0  # without a reading, after which the client is asked whether a device is there
MAX_SILENT_S = 600.0  # .. at most, for one whose readings come at longer intervals
MOVED_S = 600.0  # a device that was plugged elsewhere has come there within this time
EARLY = 0.1  # share of interval_s by which a reading may come too early: a device that is polled as often jitters

# Of one moment. monotonic: s, for what is silent; utc: s, for what is kept.
Moment = namedtuple("Moment", ("monotonic", "utc"))


class _Device:
    def __init__(self, name, type_name, moment):
        self.name = name  # id, such as 1_38
        self.type = type_name
        self.status = None  # not told yet
        self.gone_since = None  # UTC, s
        self.shown = {}  # attribute -> component of Home Assistant
        self.info = None  # devInfoJson that `shown` and `configs` are of
        self.configs = {}  # attribute -> message
        self.heard = moment.monotonic
        self.silent_s = SILENT_S
        self.appeared = None  # time of the first reading since it is there: that of the client's samples, UTC, s
        self.last = None  # time of the last reading
        self.restored = None  # UTC, s: when it was taken from the note; None: its readings have come since
        self.told = None  # time of the last one that was published
        self.left_out = 0  # readings since then
        self.state = None  # Publication of it


class SensorDevices:
    """Args: base: the topic above the client's; prefix: Home Assistant's, or "": it is told nothing; interval_s: least
    time between two readings of a device that are published, 0: all are; forget_s: how long one that is gone is kept;
    info_of: function (type name): devInfoJson, or None."""

    def __init__(self, client_id, base, prefix, *, interval_s, forget_s, info_of):
        self.unsaved = False  # `note` has changed
        self._client_id = client_id
        self._base = base
        self._topic = sensors_topic(base)
        self._prefix = prefix
        self._interval_s = interval_s * (1 - EARLY)
        self._forget_s = forget_s
        self._info_of = lambda name: info_of(name) if name is not None and self._prefix else None
        self._devices = {}  # id -> _Device
        self._announced = None  # announcement of the client's device that Home Assistant was told, or None
        self._client_refused = False

    def __len__(self):
        return len(self._devices)

    # What is kept

    def note(self):
        """Returns the text to keep in the store, one line."""
        kept = []
        for one in self._devices.values():
            by_component = [[name for name, kind in one.shown.items() if kind == wanted] for wanted in _COMPONENTS]
            kept.append([one.name, one.type, one.gone_since, *by_component])
        return json.dumps(kept, separators=(",", ":")) if kept else ""

    def restore(self, note, moment):
        """Begin with the devices of a note. Raises: ValueError: it is not one of `note`."""
        devices = {}
        try:
            for name, type_name, gone_since, *by_component in json.loads(note) if note else ():
                one = devices[name] = _Device(name, type_name, moment)
                one.status = ONLINE if gone_since is None else GONE
                one.gone_since = one.last = gone_since
                one.restored = moment.utc
                for kind, names in zip(_COMPONENTS, by_component, strict=True):
                    one.shown.update(dict.fromkeys(names, kind))
        except (TypeError, AttributeError) as error:
            raise ValueError(f"it is no list of devices: {error}") from None
        self._devices = devices

    # What is published. Each method returns a list of Publication, in their order.

    def all(self):
        """What a broker that has forgotten needs. Not the entities of what is gone: who deletes them in Home Assistant
        means it."""
        found = []
        for one in self._devices.values():
            if one.status != GONE:
                if one.info is None:
                    self._describe(one, self._info_of(one.type))
                found += self._configs(one, one.configs)
            found.append(self._status(one))
            if one.state is not None:
                found.append(one.state)
        return found

    def of_client(self, announced):
        """The device that the client is, to which its sensors refer, if it has changed. announced: members of its
        announcement of the device, or {}; None: tell it anew."""
        if not self._prefix or announced == self._announced or self._client_refused:
            return []
        self._announced = announced
        message = client_message(self._client_id, self._base, announced)
        return [Publication(client_topic(self._prefix, self._base), message, True, "announcement")]

    def forget_client(self):
        """The broker may have forgotten what `of_client` has returned."""
        self._announced = None

    def refused(self, publication):
        """The broker does not take one of this size: it is not tried again."""
        self._client_refused |= publication.topic == client_topic(self._prefix, self._base)
        for one in self._devices.values():
            if one.state is publication:
                one.state = None
            one.configs = {name: text for name, text in one.configs.items() if text is not publication.payload}

    def take(self, reading, index, moment):
        """What follows from a Reading. index: of it in its message. Raises: ValueError: there are too many devices, and
        nothing has changed."""
        found = []
        one = self._devices.get(reading.device)
        if reading.status != POLLED:
            return self._lost(one, GONE, moment) if one is not None else []
        if one is not None and one.type != reading.type:
            found += self._removal(one)
            one = None
        if one is None:
            one = self._add(reading, moment)
        one.silent_s = min(max(SILENT_S, 2 * (moment.monotonic - one.heard)), MAX_SILENT_S)
        one.heard, one.last, one.restored = moment.monotonic, reading.time, None
        found += self._described(one)
        if one.status != ONLINE:
            if one.status != OFFLINE:  # which says nothing about where it is
                one.appeared = reading.time
            one.status, one.gone_since, one.told = ONLINE, None, None
            self.unsaved = True
            found.append(self._status(one))
        if self._is_due(one, reading):
            one.state = self._state(one, reading, index)
            one.told, one.left_out = reading.time, 0
            found.append(one.state)
        else:
            one.left_out += 1
        return found + self._moved()

    def silent(self, moment):
        """Returns the ids (set) of what has been silent for so long that the client is to be asked for it."""
        return {
            one.name
            for one in self._devices.values()
            if one.status != GONE and moment.monotonic - one.heard >= one.silent_s
        }

    def postpone(self, moment):
        """Nothing could be heard until now: the client or the broker was absent."""
        for one in self._devices.values():
            one.heard = moment.monotonic

    def asked(self, silent, bus, present, since, moment):
        """The client has answered for what was silent. bus: number of the bus that it has told of; present: ids (set)
        of what is there, or None: it cannot say; since: Moment at which it was asked."""
        found = []
        for one in self._devices.values():
            if one.name not in silent or one.heard > since.monotonic:
                continue
            one.heard, one.silent_s = moment.monotonic, min(2 * one.silent_s, MAX_SILENT_S)
            if present is None:
                found += self._lost(one, OFFLINE, moment)
            elif one.name.startswith(f"{bus}_") and one.name not in present:
                found += self._lost(one, GONE, moment)
        return found + self._moved()

    def forget(self, moment):
        """What has been gone for long enough is removed."""
        found = []
        for one in [one for one in self._devices.values() if one.gone_since is not None]:
            if moment.utc - one.gone_since >= self._forget_s:
                found += self._removal(one)
        return found

    # One device

    def _add(self, reading, moment):
        if len(self._devices) >= MAX_DEVICES:
            raise ValueError(f"{reading.device} is one too many: {MAX_DEVICES} devices of the client are known")
        one = self._devices[reading.device] = _Device(reading.device, reading.type, moment)
        if len(self.note()) > MAX_NOTE:
            del self._devices[reading.device]
            raise ValueError(f"with {reading.device} the client's devices have more than {MAX_NOTE} bytes together")
        return one

    def _lost(self, one, status, moment):
        if one.status in (status, GONE):
            return []
        one.status = status
        if status == GONE:
            one.gone_since = int(moment.utc)
            self.unsaved = True
        return [self._status(one)]

    def _moved(self):
        """Remove what seems to have been plugged elsewhere: it is gone, and since its last reading one device of its
        type has come, within MOVED_S; and no other one of the type could have become that one. Of one that went while
        this was not there nobody knows the last reading: then MOVED_S count from when its note was read."""
        found = []
        gone = [one for one in self._devices.values() if one.status == GONE]
        for one in gone:
            later = [other for other in self._devices.values() if _may_be(one, other)]
            if len(later) == 1 and [other for other in gone if _may_be(other, later[0])] == [one]:
                found += self._removal(one)
        return found

    def _removal(self, one):
        del self._devices[one.name]
        self.unsaved = True
        topic = f"{self._topic}/{one.name}"
        return [
            *self._no_configs(one, one.shown),
            Publication(topic, b"", True, "reading"),
            Publication(f"{topic}/status", b"", True, "status"),
        ]

    def _status(self, one):
        return Publication(f"{self._topic}/{one.name}/status", (one.status or ONLINE).encode(), True, "status")

    def _is_due(self, one, reading):
        """True if a reading is to be published. Its time may be earlier than that of the last one: by little, since the
        server learns of the client's clock, or by much, if its own was wrong."""
        return one.told is None or abs(reading.time - one.told) >= self._interval_s

    def _state(self, one, reading, index):
        invalid = list(reading.invalid)
        values = {}
        for name, value in reading.values.items():
            if not _is_json(value) and name not in invalid:
                invalid.append(name)
            values[name] = None if name in invalid else value
        members = {
            "time": round(reading.time, 4), "type": reading.type, "status": ONLINE, "values": values,
            "invalid": invalid, "left_out": one.left_out,
        }  # fmt: skip
        if not reading.values:
            members["raw"] = reading.raw.hex()
        properties = ("number", str(reading.number)), ("index", str(index))
        payload = json.dumps(members).encode()
        return Publication(f"{self._topic}/{one.name}", payload, True, "reading", one.name, properties)

    # Its entities

    def _described(self, one):
        """The entities of a device, if its type has become known or has changed."""
        info = self._info_of(one.type)
        if info is None or info is one.info:
            return []
        before, messages = dict(one.shown), one.configs
        self._describe(one, info)
        if one.shown != before:
            self.unsaved = True
        dropped = {name: kind for name, kind in before.items() if one.shown.get(name) != kind}
        changed = {name: text for name, text in one.configs.items() if messages.get(name) != text}
        return [*self._no_configs(one, dropped), *self._configs(one, changed)]

    def _describe(self, one, info):
        """Take the description of a type. One for which the note has no room shows nothing."""
        if info is None:
            return
        before = one.shown
        one.info, one.shown = info, components(info)
        if len(self.note()) > MAX_NOTE:
            one.shown = {name: kind for name, kind in before.items() if one.shown.get(name) == kind}
        messages = config_messages(info, one.type, one.name, self._base, self._client_id)
        one.configs = {name: messages[name] for name in one.shown}

    def _configs(self, one, messages):
        return [
            Publication(self._config_topic(one, name, one.shown[name]), text, True, "announcement", one.name)
            for name, text in messages.items()
        ]

    def _no_configs(self, one, shown):
        if not self._prefix:
            return []
        return [
            Publication(self._config_topic(one, name, kind), b"", True, "announcement") for name, kind in shown.items()
        ]

    def _config_topic(self, one, attribute, component):
        return config_topic(self._prefix, f"{self._topic}/{one.name}", one.type, attribute, component)


_COMPONENTS = (SENSOR, BINARY)


def _may_be(gone, other):
    """True if `other` may be the device that is gone, plugged elsewhere."""
    if other.type != gone.type or other.status != ONLINE or other.appeared is None:
        return False
    if gone.last is None:
        return other.appeared <= gone.restored + MOVED_S
    return gone.last <= other.appeared <= gone.last + MOVED_S


def _is_json(value):
    """False for a number that JSON cannot have."""
    if isinstance(value, list):
        return all(map(_is_json, value))
    return not isinstance(value, float) or math.isfinite(value)
