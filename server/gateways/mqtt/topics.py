"""The topics of a client, and the size of what is published there. No input or output here.

    PREFIX/ID/up           the client's lines
    PREFIX/ID/parts        lines that are longer than the broker takes, in parts: see `split`
    PREFIX/ID/down         lines for the client
    PREFIX/ID/status       "online" or "offline"
    PREFIX/ID/state/NAME   the value of an entity of Home Assistant
    PREFIX/ID/ch/N/up      messages of the client on its channel N; parts and down as for lines;
                           or requests and their answers: see calls.py
    PREFIX/ID/sensor/DEVICE          the newest published reading of a device on the client's sensor bus, such as 1_38
    PREFIX/ID/sensor/DEVICE/status   "online", "offline" or "gone"
    PREFIX/ID/sensor/status          "online" while the gateway publishes the client's sensors, or "offline"
    PREFIX/ID/sensor/command         commands to the sensor bus; their answers at .../result, or where they say
"""

MIN_PART = 64  # bytes of a part of a line; a broker that takes less is none for the gateway
MOST_DIGITS = (("number", "9" * 20), ("part", "9999/9999"))  # the longest user properties of a part


def base_topic(prefix, client_id):
    """Returns the topic above the client's. Characters not allowed in a level become %XX, as in a URL."""
    return f"{prefix}/{''.join(map(_level_character, client_id))}"


def channel_topic(base, number):
    """Returns the topic above those of a client's channel. base: see base_topic."""
    return f"{base}/ch/{number}"


def sensors_topic(base):
    """Returns the topic above those of a client's sensors. base: see base_topic."""
    return f"{base}/sensor"


def _level_character(character):
    if character in "/+#%" or not character.isprintable():
        return "".join(f"%{byte:02X}" for byte in character.encode())
    return character


def packet_size(topic, payload_bytes, properties=(), more=None):
    """Returns the bytes of a PUBLISH packet with QoS 1 (MQTT 5, 3.3). properties: user properties, (name, value); more:
    dict of other properties, a str, bytes, or an int of four bytes."""
    listed = sum(5 + len(name.encode()) + len(value.encode()) for name, value in properties)
    for value in (more or {}).values():
        listed += 1 + (4 if isinstance(value, int) else 2 + len(value.encode() if isinstance(value, str) else value))
    remaining = 2 + len(topic.encode()) + 2 + _length_bytes(listed) + listed + payload_bytes
    return 1 + _length_bytes(remaining) + remaining


def payload_room(packet_bytes, topic, properties=()):
    """Returns the bytes of the largest payload whose packet has at most packet_bytes. Below 0 there is none."""
    room = packet_bytes - packet_size(topic, 0, properties)
    while room > 0 and packet_size(topic, room, properties) > packet_bytes:  # the length takes more bytes itself
        room -= 1
    return room


def smallest_packet(base):
    """Returns the size of packets (bytes) that a broker must take."""
    return packet_size(f"{base}/parts", MIN_PART, MOST_DIGITS)


def split(line, part_bytes):
    """Returns the line (bytes) in parts of at most part_bytes >= 4. No character of a UTF-8 text is in two of them.
    Bytes that are none are divided anywhere."""
    parts, begin = [], 0
    while begin < len(line):
        end = begin + part_bytes
        if end < len(line):
            end = next((cut for cut in range(end, end - 4, -1) if line[cut] & 0xC0 != 0x80), end)
        parts.append(line[begin:end])
        begin = end
    return parts


def _length_bytes(value):
    """Returns the bytes of a Variable Byte Integer (MQTT 5, 1.5.5)."""
    return 1 + (value > 0x7F) + (value > 0x3FFF) + (value > 0x1FFFFF)
