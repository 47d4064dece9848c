"""What a client has announced: kept, published, changed and removed."""

import json

import pytest

from server.gateways.mqtt.entities import MAX_ENTITIES, MAX_NOTE, Entities

NODE = "homeassistant/{}/pb__link_2Fa/{}/config"
STATE = "pb_link/a/state/"


@pytest.fixture
def entities():
    return Entities("a", "pb_link/a", "homeassistant")


def sensor(entity_id, **more):
    return json.dumps({"announce": "sensor", "id": entity_id, "value": entity_id, **more}).encode()


def topics(publications):
    return [(one.topic, bool(one.payload)) for one in publications]


def values(entities, line):
    return [(one.topic, one.payload, one.retain) for one in entities.values(line)[0]]


def test_each_entity_has_a_topic_for_its_value_alone(entities):
    entities.announce(sensor("t", device_class="temperature", unit_of_measurement="°F"))
    entities.announce(sensor("h", expire_after=30))
    assert values(entities, b'{"t": 212, "h": 40}') == [(STATE + "t", b"212", True), (STATE + "h", b"40", False)]
    assert values(entities, b'{"t": 212}') == [(STATE + "t", b"212", True)]  # nothing that would keep h from expiring
    assert values(entities, b"ping") == values(entities, b'{"other": 1}') == []
    assert entities.values(b'{"t": "warm"}') == ([], ["t of t must be a number"])


def test_announcements_are_kept_by_the_note(entities):
    entities.announce(b'{"announce": "device", "model": "P2"}')
    entities.announce(sensor("t"))
    entities.announce(sensor("t", name="T \u00e9"))
    entities.announce(b'{"announce": "button", "id": "b"}')
    again = Entities("a", "pb_link/a", "homeassistant")
    again.restore(entities.note())
    assert again.all() == entities.all() and len(again) == 2 and "\n" not in entities.note()
    assert json.loads(again.all()[0][0].payload)["device"]["model"] == "P2"
    again.restore("")
    assert again.all() == []


@pytest.mark.parametrize("note", ["{", '[{"announce": "later"}]', "[1]", "5"])
def test_note_of_another_version_is_an_error_and_changes_nothing(entities, note):
    entities.announce(sensor("t"))
    with pytest.raises(ValueError):
        entities.restore(note)
    assert len(entities) == 1


def test_acknowledged_values_are_published_again_with_their_numbers(entities):
    entities.announce(sensor("t"))
    entities.announce(sensor("e", expire_after=30))
    for publication in entities.values(b'{"t": 1, "e": 2}')[0]:
        entities.acknowledged(publication, 7)
    entities.values(b'{"t": 5}')  # not acknowledged
    found = [(one.topic, one.payload, number) for one, number in entities.all() if "/state/" in one.topic]
    assert found == [(STATE + "t", b"1", 7)]  # e would begin to live again
    entities.announce(sensor("t"))
    assert len(entities.all()) == 3  # the same announcement again, as after each start of the client
    entities.announce(sensor("t", unit_of_measurement="K"))
    assert len(entities.all()) == 2


def test_removal_removes_what_is_retained(entities):
    entities.announce(sensor("t"))
    gone = entities.announce(b'{"announce": "sensor", "id": "t", "remove": true}')
    assert topics(gone) == [(NODE.format("sensor", "t"), False), (STATE + "t", False)]
    assert all(one.retain for one in gone) and len(entities) == 0 and entities.note() == "[]"
    assert topics(entities.announce(sensor("t", remove=False))) == [(NODE.format("sensor", "t"), True)]


def test_entity_that_becomes_one_of_another_kind_is_removed_first(entities):
    entities.announce(sensor("t"))
    changed = entities.announce(b'{"announce": "switch", "id": "t", "value": "t"}')
    assert topics(changed) == [
        (NODE.format("sensor", "t"), False), (STATE + "t", False), (NODE.format("switch", "t"), True),
    ]  # fmt: skip
    removed = entities.announce(b'{"announce": "sensor", "id": "t", "remove": true}')  # it is a switch now
    assert (NODE.format("switch", "t"), False) in topics(removed) and len(entities) == 0


def test_value_that_begins_to_expire_is_no_longer_retained(entities):
    entities.announce(sensor("t"))
    assert topics(entities.announce(sensor("t", expire_after=5))) == [
        (STATE + "t", False), (NODE.format("sensor", "t"), True),
    ]  # fmt: skip


def test_device_is_told_to_all_entities(entities):
    assert entities.announce(b'{"announce": "device", "model": "P2", "release": "1"}') == []
    entities.announce(sensor("t"))
    entities.announce(sensor("h"))
    changed = entities.announce(b'{"announce": "device", "model": "P2", "release": "2"}')
    assert [json.loads(one.payload)["device"]["sw_version"] for one in changed] == ["2", "2"]


def test_announcements_of_a_client_are_bounded_in_number_and_bytes(entities):
    for number in range(MAX_ENTITIES):
        entities.announce(sensor(f"s{number}"))
    kept = entities.note()
    with pytest.raises(ValueError, match="32 entities"):
        entities.announce(sensor("more"))
    with pytest.raises(ValueError, match=f"more than {MAX_NOTE} bytes"):
        for number in range(MAX_ENTITIES):
            kept = entities.note()
            entities.announce(sensor(f"s{number}", name="\u00e9" * 64))
    assert entities.note() == kept and len(entities) == MAX_ENTITIES
