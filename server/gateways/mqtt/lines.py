"""The publication of one client's lines, whole or in parts, and of each of them once over all connections.

A line for which a packet is too small is published in parts on a topic of its own. So it is not lost, it delays no
other line for ever, and no subscriber of `up` takes a part for a line.
"""

from aiomqtt import MqttError

from server.gateways.mqtt.advice import TOO_LARGE, reason_code
from server.gateways.mqtt.broker import TooLarge
from server.gateways.mqtt.topics import MIN_PART, MOST_DIGITS, payload_room, split


class LinePublisher:
    """Args: base: the topic above the client's; log: function (event, **details)."""

    def __init__(self, base, log):
        self._up = f"{base}/up"
        self._parts = f"{base}/parts"
        self._log = log
        self._refused_bytes = None  # the smallest payload that a broker has refused as too large
        self._place = None  # of the line that was published last
        self._done = set()  # what has been acknowledged of it, over all connections
        self._told = None  # place of the last line that was reported as too long

    def is_done(self, place, entity=None):
        """True if the broker has acknowledged the line at this place, or the value of this entity (id) in it, on this
        connection or before."""
        return self._place == place and entity in self._done

    def note_done(self, place, entity=None):
        """Note that the broker has acknowledged it."""
        if self._place != place:
            self._place, self._done = place, set()
        self._done.add(entity)

    async def publish(self, broker, place, line):
        """Publish a line (bytes), and return when the broker has acknowledged it. place: (store, number of the line).

        Raises: MqttError; TooLarge, which is one: the broker does not even take a part of MIN_PART bytes."""
        if not self.is_done(place):
            if not await self._publish_whole(broker, place, line):
                while not await self._publish_parts(broker, place, line):
                    pass  # the parts have become smaller
            self.note_done(place)

    async def _publish_whole(self, broker, place, line):
        """Returns False if the line is too long for the broker."""
        if self._refused_bytes is not None and len(line) >= self._refused_bytes:
            return False
        return await self._is_taken(broker, self._up, line, (("number", str(place[1])),))

    async def _publish_parts(self, broker, place, line):
        """Returns False if a part was too large for the broker. The next call makes smaller ones."""
        parts = split(line, self._part_bytes(broker))
        self._tell(place, line, parts)
        for index, part in enumerate(parts):
            properties = ("number", str(place[1])), ("part", f"{index + 1}/{len(parts)}")
            if not await self._is_taken(broker, self._parts, part, properties):
                return False
        return True

    async def _is_taken(self, broker, topic, payload, properties):
        """Publish. Returns False if it is too large for the broker."""
        try:
            await broker.publish(topic, payload, properties=properties)
        except TooLarge:
            if len(payload) <= MIN_PART:
                raise
            self._note_refused(broker, len(payload), topic)
            return False
        except MqttError as error:
            if reason_code(error) == TOO_LARGE and len(payload) > MIN_PART:  # a broker that ends the connection for it
                self._note_refused(broker, len(payload), topic)
            raise
        return True

    def _note_refused(self, broker, payload_bytes, topic):
        """Remember what the broker has refused, unless it is what it has told itself, on this connection, to refuse."""
        told = broker.max_packet is not None and payload_room(broker.max_packet, topic, MOST_DIGITS) < payload_bytes
        if not told:
            self._refused_bytes = min(payload_bytes, self._refused_bytes or payload_bytes)

    def _part_bytes(self, broker):
        sizes = []
        if broker.max_packet is not None:
            sizes.append(payload_room(broker.max_packet, self._parts, MOST_DIGITS))
        if self._refused_bytes is not None:
            sizes.append(self._refused_bytes // 2)
        return max(MIN_PART, min(sizes))

    def _tell(self, place, line, parts):
        if self._told != place:
            self._told = place
            longest = max(map(len, parts))
            self._log("mqtt_parts", number=place[1], bytes=len(line), parts=len(parts), part_bytes=longest)
