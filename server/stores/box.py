"""The messages of one channel in one direction, in RAM. Runs under both interpreters."""

from server.core.message import line
from server.core.store import LINE_COST

_BYTES = {bytes}


class Box:
    """The messages of one channel in one direction, the oldest first.

    numbers: their numbers or serials; cost: of all. A line that waits is its bytes and no other object, so that the
    collector of CPython has nothing to look at, however many wait.
    """

    __slots__ = ("numbers", "cost", "_held")

    def __init__(self):
        self.numbers = []
        self.cost = 0
        self._held = []  # of each its Message, or the bytes of a line

    def append(self, number, message):
        """Returns what it costs."""
        return self.insert(len(self.numbers), number, message)

    def append_lines(self, number, data):
        """Append lines (bytes) with the numbers from this one on. Returns what they cost."""
        self.numbers.extend(range(number, number + len(data)))
        self._held.extend(data)
        added = sum([len(one) for one in data]) + LINE_COST * len(data)
        self.cost += added
        return added

    def insert(self, at, number, message):
        """Returns what it costs."""
        self.numbers.insert(at, number)
        self._held.insert(at, _held(message))
        added = len(message.data) + LINE_COST
        self.cost += added
        return added

    def replace(self, at, message):
        """Another message gets this one's number."""
        self.cost += len(message.data) - _size(self._held[at])
        self._held[at] = _held(message)

    def remove(self, first, count):
        """Remove so many messages from this index on. Returns their numbers."""
        if count == 1:
            self.cost -= _size(self._held.pop(first)) + LINE_COST
            return [self.numbers.pop(first)]
        numbers = self.numbers[first : first + count]
        self.cost -= sum([_size(one) for one in self._held[first : first + count]]) + LINE_COST * len(numbers)
        del self.numbers[first : first + count]
        del self._held[first : first + count]
        return numbers

    def row(self, at):
        """Returns (number, Message)."""
        held = self._held[at]
        return self.numbers[at], (line(held) if type(held) is bytes else held)

    def has(self, at, number):
        """True if the message at this index has this number."""
        return at < len(self.numbers) and self.numbers[at] == number

    def at(self, number):
        """Returns the index of the first message with this number or a later one."""
        numbers = self.numbers
        if not numbers or number <= numbers[0]:
            return 0
        high = number - numbers[0]  # the index if no number is left out, and else more
        if high < len(numbers):
            if numbers[high] == number:
                return high
        else:
            high = len(numbers)
        low = 1
        while low < high:
            middle = (low + high) // 2
            if numbers[middle] < number:
                low = middle + 1
            else:
                high = middle
        return low


def only_lines(messages):
    """True if each of these is the bytes of a line, and none a Message."""
    return set(map(type, messages)) == _BYTES


def _held(message):
    """Returns what a Box keeps of a message."""
    return message if message.channel or message.kind or message.time else message.data


def _size(held):
    return len(held if type(held) is bytes else held.data)


def box_of(boxes, channel):
    """Returns the channel's Box. It is created if there is none."""
    box = boxes.get(channel)
    if box is None:
        box = boxes[channel] = Box()
    return box
