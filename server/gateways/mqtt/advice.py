"""Faults that last until a person changes something: what has to be changed, in words."""

from aiomqtt import MqttCodeError, MqttError
from aiomqtt.exceptions import MqttConnectError

TAKEN_OVER = 0x8E  # "Session taken over"
TOO_LARGE = 0x95  # "Packet too large"

# MQTT 5, 2.4: reason codes
_ADVICE = {
    0x84: (
        "the gateway needs a broker with MQTT 5, and this one has only an older version: use Mosquitto 1.6 or later, "
        "another broker with MQTT 5, or allow version 5 at this one"
    ),
    TAKEN_OVER: (
        "another program has taken the session of the MQTT client id {name}: probably a second server with the same "
        "prefix. Each server at a broker needs a prefix of its own in [mqtt]. Until then the two take it in turn"
    ),
    TOO_LARGE: (
        "the broker's limit for a packet is too small even for parts of lines: allow 1000 bytes or more (Mosquitto: "
        "max_packet_size)"
    ),
    0x9A: (
        "the gateway needs a broker that keeps retained messages, for status and for Home Assistant: allow them "
        "(Mosquitto: retain_available true), or use another broker"
    ),
    0x9B: "the gateway needs a broker that takes messages with QoS 1: allow them (Mosquitto: max_qos 2)",
}


def taken_over(name):
    """Returns what a person has to change if another program uses this MQTT client id."""
    return _ADVICE[TAKEN_OVER].format(name=name)


def reason_code(fault):
    """Returns the reason code (int) that the broker gave for a fault, or None."""
    fault = cause(fault)
    return getattr(fault.rc, "value", None) if isinstance(fault, MqttCodeError) else None


def advice(fault, name):
    """Returns what a person has to change, or None. name: the MQTT client id."""
    code = reason_code(fault)
    if code == TOO_LARGE and not isinstance(cause(fault), MqttConnectError):
        return None  # it is about one line, which is published in parts then
    words = _ADVICE.get(code)
    return words and words.format(name=name)


def cause(fault):
    """Returns what ended the connection, not the task that noticed it. fault: an exception, perhaps of a group."""
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    while isinstance(fault, MqttError) and fault.__cause__ is not None:
        fault = fault.__cause__
    return fault
