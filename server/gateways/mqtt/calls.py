"""Requests and answers as MQTT 5 has them (4.10): Response Topic, Correlation Data, and a mark of failures.

A request on a channel N of a client that MQTT applications ask on:

    PREFIX/ID/ch/N/down    the request, with the Response Topic of who asks
    that Response Topic    the answer, with the Correlation Data of the request

.. and on one that they answer on:

    PREFIX/ID/ch/N/up      the request of the client, with Correlation Data and the Response Topic PREFIX/ID/ch/N/down
    PREFIX/ID/ch/N/down    the answer, with that Correlation Data

A failure is an answer with the user property `error`, and its payload says why. No input or output here.
"""

import hashlib

from server.gateways.mqtt.advice import TOO_LARGE, reason_code

ERROR = "error"  # the user property of a failure, and its values from here on:
FAILED = "failed"  # RequestFailed: the handler raised, or there is none, or it was interrupted
TIMEOUT = "timeout"  # RequestTimeout: the handler may have run, or still run
REFUSED = "refused"  # nothing was asked, or the answer cannot be published

_OF_PUBLICATION = (0x87, 0x90, TOO_LARGE, 0x99)  # not authorized, topic name or payload format invalid


def correlation(message):
    """Returns the Correlation Data (bytes) of a message, b"" if there is none."""
    return getattr(message.properties, "CorrelationData", b"")


def response_topic(message):
    """Returns the Response Topic of a message, "" if there is none."""
    return getattr(message.properties, "ResponseTopic", "")


def error_of(message):
    """Returns the value of the user property that marks a failure, or None for an answer."""
    return dict(getattr(message.properties, "UserProperty", ())).get(ERROR)


def response_fault(topic, own):
    """Returns why no answer may be published at this topic, or None. own: topics of the gateway: it takes nothing that
    is published at or below them from who may only ask."""
    if not topic:
        return "it has no Response Topic: publish it with MQTT 5, and with the topic at which the answer is wanted"
    if set(topic) & set("+#\0") or topic.startswith("$"):
        return f"its Response Topic {topic!r} is none for an answer: name one without + and #, and without $ in front"
    for one in filter(None, own):
        if topic == one or topic.startswith(f"{one}/"):
            return f"its Response Topic {topic!r} is one of the gateway's own: name one that is not below {one}"
    return None


def key_of(message):
    """Returns a word by which a request that the broker sends again is known."""
    digest = hashlib.sha256()
    for part in (response_topic(message).encode(), correlation(message), bytes(message.payload)):
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.hexdigest()[:24]


def is_about_publication(error):
    """True if the broker has ended the connection for what was being published, and would do so again."""
    return reason_code(error) in _OF_PUBLICATION
