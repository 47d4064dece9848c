"""The entities of Home Assistant that one client has announced, and their last values. No input or output here.

They are kept as a note in the store (server/core/notes.py), since a client announces them only when it starts. They are
published again on each connection, since a broker may have forgotten them.
"""

import json
from collections import namedtuple

from server.gateways.mqtt.announcement import DEVICE, check, parse
from server.gateways.mqtt.home_assistant import discovery_message, discovery_topic, is_retained, state_topic
from server.gateways.mqtt.states import states

MAX_ENTITIES = 32  # of a client
MAX_NOTE = 8192  # bytes of a client's announcements together: the store writes them with each change of the client
NOTE = "mqtt"  # name of the note

# what: "announcement", "value" or "line", or of a sensor "reading" or "status"; entity: id of the entity that it is of,
# or None; properties: user properties, (name, value), that it has in any case.
Publication = namedtuple(
    "Publication", ("topic", "payload", "retain", "what", "entity", "properties"), defaults=(None, ())
)


class Entities:
    """Args: base: the topic above the client's; prefix: Home Assistant's."""

    def __init__(self, client_id, base, prefix):
        self._client_id = client_id
        self._base = base
        self._prefix = prefix
        self.device = {}  # members of the announcement of the device
        self._entities = {}  # id -> members of the announcement
        self._values = {}  # id -> (text, number of the line) of what the broker has acknowledged

    def __len__(self):
        return len(self._entities)

    def restore(self, note):
        """Begin with the announcements of the note. Raises: ValueError: it is not one of `note`."""
        announcements = json.loads(note) if note else []
        if not isinstance(announcements, list):
            raise ValueError("it is no list of announcements")
        for members in announcements:
            check(members)
        self.device, self._entities = {}, {}
        for members in announcements:
            self._put(members)

    def note(self):
        """Returns the text to keep in the store, one line."""
        announcements = [self.device] if self.device else []
        return json.dumps(announcements + [*self._entities.values()], separators=(",", ":"))

    def announce(self, line):
        """Take an announcement (bytes). Returns the publications that follow. Raises: ValueError that says what is
        wrong with it, and nothing has changed."""
        members = parse(line)
        if members["announce"] == DEVICE:
            self._take(members)
            return self._configs()
        before = self._entities.get(members["id"], members)
        removal = self._removal(before) if before["announce"] != members["announce"] else []
        if members.pop("remove", False):
            self.forget(members["id"])
            return self._removal(members) + removal
        self._take(members)
        if before != members:
            self._values.pop(members["id"], None)  # it may be none of the new entity's
        if not removal and is_retained(before) and not is_retained(members):
            removal = [self._no_value(before)]
        return [*removal, self._config(members)]

    def _take(self, members):
        kept = self.device, dict(self._entities)
        self._put(members)
        fault = None
        if len(self._entities) > MAX_ENTITIES:
            fault = f"the client has announced {MAX_ENTITIES} entities, which is the most"
        elif len(self.note()) > MAX_NOTE:
            fault = f"the client's announcements have more than {MAX_NOTE} bytes together"
        if fault:
            self.device, self._entities = kept
            raise ValueError(fault)

    def _put(self, members):
        if members["announce"] == DEVICE:
            self.device = members
        else:
            self._entities[members["id"]] = members

    def forget(self, name):
        """Forget the entity with this id: the broker does not take it."""
        self._entities.pop(name, None)
        self._values.pop(name, None)

    def _removal(self, members):
        topic = discovery_topic(members, self._base, self._prefix)
        removal = [Publication(topic, b"", True, "announcement", None)]
        if members["announce"] != "button" and is_retained(members):
            removal.append(self._no_value(members))
        return removal

    def _no_value(self, members):
        return Publication(state_topic(members, self._base), b"", True, "value", None)

    def _config(self, members):
        topic = discovery_topic(members, self._base, self._prefix)
        payload = discovery_message(members, self._client_id, self._base, self.device)
        return Publication(topic, payload, True, "announcement", members["id"])

    def _configs(self):
        return [self._config(members) for members in self._entities.values()]

    def all(self):
        """Returns what a broker that has forgotten needs: a list of (publication, number of the line or None)."""
        found = [(publication, None) for publication in self._configs()]
        for name, (text, number) in self._values.items():
            if is_retained(self._entities[name]):  # otherwise it would be taken for a new value
                found.append((self._value(self._entities[name], text), number))
        return found

    def values(self, line):
        """Returns (publications of the values in a line, reasons why others are not published)."""
        found, reasons = [], []
        for members, text, reason in states(line, self._entities.values()):
            if reason:
                reasons.append(reason)
            else:
                found.append(self._value(members, text))
        return found, reasons

    def _value(self, members, text):
        topic = state_topic(members, self._base)
        return Publication(topic, text.encode(), is_retained(members), "value", members["id"])

    def acknowledged(self, publication, number):
        """Note that the broker has this value of the line with this number."""
        if publication.what == "value" and publication.entity in self._entities:
            self._values[publication.entity] = (publication.payload.decode(), number)
