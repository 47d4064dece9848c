"""The types of devices in a run of `sim sensors`, and the values by which each device is recognised. Pure."""

from collections import namedtuple

PERIOD_S = 8  # of a value: it goes up and down evenly
SWING = 1.0  # of a value to each side of its middle
BAND = 3.0  # between the middles of two devices: they have no value in common
LOWEST = 4.0

# addresses; values: names in the model and in the record, all of which a device has from its Script; unit: 1, or what
# the values are divided by; resolution: what a sample may be off by; age_s: a value was measured at most so long before
# it is read; measures_ahead: a poll reads what the one before has begun; poll_s: how long a poll lasts; reset: what its
# register has before the first measurement, None: nothing; is_set_up: it does not work without what is written to it
# when it is identified.
Kind = namedtuple("Kind", "addresses values unit resolution age_s measures_ahead poll_s reset is_set_up")

KINDS = {
    "MCP9808": Kind(range(0x18, 0x20), ("temperature",), 1, 1 / 16, 0.25, False, 0.001, 0.0, False),
    "TMP117": Kind(range(0x48, 0x4C), ("temperature",), 1, 1 / 128, 1.0, False, 0.001, -256.0, False),
    "ADS1115": Kind(range(0x48, 0x4C), ("a0", "a3"), 16, 1 / 8000, 0.008, False, 1.1, 0.0, False),
    "LPS25": Kind((0x5C, 0x5D), ("temperature",), 1, 1 / 240, 0.05, False, 0.001, 42.5, True),
    "SHT40": Kind(range(0x44, 0x46), ("temperature",), 1, 1 / 300, 0.0083, True, 0.001, None, False),
    # A wire that is held in a write has zeros written, which stop it with its last values, until it is looked at:
    # identCheckMs, and some polls. The first poll after that may come before its first conversion has ended (seed 77).
    "INA219": Kind((0x44, 0x45), ("voltage",), 4, 1 / 250, 12, False, 0.001, 0.0, False),
    "AS5600": Kind((0x36,), ("angle",), 1, 360 / 4096, 0.00015, False, 0.001, None, False),
    "BME280": Kind((0x76, 0x77), ("temperature",), 1, 1 / 50, 1.2, False, 0.001, None, True),
}
# Types that have the same addresses: one of each stands ready to take the other's place.
TWINS = {"TMP117": "ADS1115", "ADS1115": "TMP117", "SHT40": "INA219", "INA219": "SHT40"}


class Script:
    """What a device measures: seconds -> value. Args: number: of the device; unit: see Kind."""

    def __init__(self, number, unit):
        self._middle = LOWEST + BAND * number
        self._unit = unit

    def __call__(self, when):
        phase = when % PERIOD_S / PERIOD_S
        return (self._middle + SWING * (4 * abs(phase - 0.5) - 1)) / self._unit

    def has_had(self, value, begin, end, resolution):
        """Returns whether it was this value within a time of less than PERIOD_S / 2, to a resolution."""
        found = [self(when) for when in (begin, *self._turns(begin, end), end)]
        return value is not None and min(found) - resolution <= value <= max(found) + resolution

    @staticmethod
    def _turns(begin, end):
        """Yields the times at which the value turns."""
        half = PERIOD_S / 2
        number = int(begin // half) + 1
        while number * half <= end:
            yield number * half
            number += 1
