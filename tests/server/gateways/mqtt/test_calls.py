"""Requests and answers as MQTT 5 has them: what is read from a message, and where no answer may go."""

from types import SimpleNamespace

import pytest

from server.gateways.mqtt.topics import packet_size


@pytest.fixture
def calls(missing_tool):
    """The module, which needs the extra."""
    try:
        from server.gateways.mqtt import calls
    except ModuleNotFoundError as error:
        missing_tool(f"{error}: pip install '.[mqtt]'")
    return calls


def message(payload=b"", **properties):
    return SimpleNamespace(payload=payload, properties=SimpleNamespace(**properties))


def test_what_a_message_says(calls):
    assert calls.correlation(message()) == b"" and calls.response_topic(message()) == ""
    assert calls.error_of(message()) is None and calls.error_of(message(UserProperty=[("x", "y")])) is None
    told = message(CorrelationData=b"\0", ResponseTopic="a/b", UserProperty=[("error", "failed")])
    assert (calls.correlation(told), calls.response_topic(told), calls.error_of(told)) == (b"\0", "a/b", "failed")


def test_message_without_properties_is_one_without_any(calls):
    bare = SimpleNamespace(payload=b"", properties=None)
    assert calls.correlation(bare) == b"" and calls.response_topic(bare) == "" and calls.error_of(bare) is None


@pytest.mark.parametrize(
    ("topic", "why"),
    [
        ("", "no Response Topic: publish it with MQTT 5"),
        ("a/+", "none for an answer"), ("#", "none for an answer"), ("$SYS/x", "none for an answer"),
        ("pb_link", "one of the gateway's own"), ("pb_link/b/down", "one of the gateway's own"),
        ("homeassistant/sensor/x/config", "not below homeassistant"),
    ],
)  # fmt: skip
def test_topic_at_which_no_answer_is_published(calls, topic, why):
    assert why in calls.response_fault(topic, ("pb_link", "homeassistant"))


def test_other_topics_are_good(calls):
    for topic in ("app/answers", "pb_linked/x", "a", "/", "homeassistant2"):
        assert calls.response_fault(topic, ("pb_link", "homeassistant")) is None
    assert calls.response_fault("homeassistant/x", ("pb_link", "")) is None  # discovery is off


def test_key_tells_requests_apart(calls):
    found = [
        message(b"a", ResponseTopic="t", CorrelationData=b"c"), message(b"ac", ResponseTopic="t"),
        message(b"", ResponseTopic="t", CorrelationData=b"ca"), message(b"c", ResponseTopic="ta"),
        message(b"a", ResponseTopic="t"),
    ]  # fmt: skip
    keys = [calls.key_of(one) for one in found]
    assert len(set(keys)) == len(keys) and all(len(key) == 24 and " " not in key for key in keys)
    assert calls.key_of(message(b"a", ResponseTopic="t", CorrelationData=b"c")) == keys[0]


def test_packet_with_these_properties_has_the_size_that_is_counted(calls):
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    more = {"ResponseTopic": "t\u00e4", "CorrelationData": b"\0\1", "MessageExpiryInterval": 7}
    properties = Properties(PacketTypes.PUBLISH)
    for name, value in more.items():
        setattr(properties, name, value)
    packed = properties.pack()
    assert packet_size("up", 5, (), more) == 2 + 2 + 2 + 2 + len(packed) + 5


def test_reasons_that_are_about_the_publication(calls):
    from aiomqtt import MqttCodeError, MqttError
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.reasoncodes import ReasonCode

    for name, is_about in (("Not authorized", True), ("Packet too large", True), ("Session taken over", False)):
        assert calls.is_about_publication(MqttCodeError(ReasonCode(PacketTypes.DISCONNECT, name))) is is_about
    assert not calls.is_about_publication(MqttError("ended"))
