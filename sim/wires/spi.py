"""SPI devices. Pure: time is an argument, in seconds.

A model is a class with `exchange(byte, now) -> byte`, called for each byte while it is selected, and `select(now)`,
called when its cs falls. Values follow scripts, as those of I2C sensors do (sim/wires/sensors/script.py). One's own
model is such a class in a world file (docs/simulator.md).
"""

from sim.wires.own_code import OwnCodeFailed
from sim.wires.sensors.script import script

SUPPLY_V = 3.3


class SPIDevice:
    """A device without registers. Args: values: name -> what `script` takes, of those in VALUES."""

    VALUES = {}  # name -> value where the script has none; the unit stands beside it

    def __init__(self, values=None):
        for name in values or {}:
            if name not in self.VALUES:
                raise ValueError(f"{type(self).__name__} has no value {name!r}: {', '.join(self.VALUES) or 'none'}")
        self.values = {name: script((values or {}).get(name, usual)) for name, usual in self.VALUES.items()}

    def value(self, name, now):
        """Returns what it should measure at this time."""
        return self.values[name](now)

    def select(self, now):
        """Its cs has fallen: a transfer begins."""

    def exchange(self, value, now):
        """Takes a byte from the controller. Returns the one that it sends meanwhile."""
        return 0


class MCP3008(SPIDevice):
    """A converter of 10 bits with eight inputs, supplied and referred to 3.3 V.

    Source: Microchip DS21295D, figures 6-1 and 5-1: start bit, single-ended or differential, three bits of the channel;
    one clock later a null bit and ten bits. The first byte is to hold the start bit alone, as drivers send it.
    """

    VALUES = {f"ch{n}": 0.0 for n in range(8)}  # V

    def select(self, now):
        self._sent = []

    def exchange(self, value, now):
        self._sent.append(value)
        if len(self._sent) == 2 and self._sent[0] == 0x01:
            self._level = self._measure(value >> 4, now)
            return self._level >> 8
        if len(self._sent) == 3 and self._sent[0] == 0x01:
            return self._level & 0xFF
        return 0

    def _measure(self, config, now):
        channel = config & 7
        volts = self.value(f"ch{channel}", now)
        if not config & 8:  # differential: this input against its neighbour
            volts -= self.value(f"ch{channel ^ 1}", now)
        return max(0, min(1023, int(volts / SUPPLY_V * 1024)))


class MAX31855(SPIDevice):
    """A thermocouple's converter: 32 bits, whatever is sent.

    Source: Maxim 19-5793 rev 5, table 2: bits 31..18 the thermocouple in 0.25 degrees, bit 16 a fault, bits 15..4 the
    cold junction in 0.0625 degrees, bits 2..0 which fault: short to VCC, to GND, open circuit.
    """

    VALUES = {"temperature": 25.0, "cold": 25.0, "fault": 0}  # degrees C; 0, 1 open, 2 to GND, 4 to VCC

    def select(self, now):
        fault = int(self.value("fault", now)) & 7
        hot = _twos_complement(self.value("temperature", now) / 0.25, 14)
        cold = _twos_complement(self.value("cold", now) / 0.0625, 12)
        self._left = list((hot << 18 | bool(fault) << 16 | cold << 4 | fault).to_bytes(4, "big"))

    def exchange(self, value, now):
        return self._left.pop(0) if self._left else 0


def _twos_complement(value, bits):
    limit = 1 << bits - 1
    return max(-limit, min(limit - 1, round(value))) & (1 << bits) - 1


TYPES = {"MCP3008": MCP3008, "MAX31855": MAX31855}


class OnBus:
    """A device with its wires. Args: device: an SPIDevice; sck, cs: Net; clock() -> seconds."""

    def __init__(self, device, sck, cs, clock):
        self.sck = sck
        self._device = device
        self._cs = cs
        self._clock = clock
        self.selected = False
        cs.listen(lambda net: self._changed())
        self._changed()

    def _changed(self):
        if self._cs.level:
            self.selected = False
        elif not self.selected:
            self.selected = True
            self._device.select(self._clock())

    def exchange(self, value, now):
        """Takes and gives a byte. Raises: OwnCodeFailed that names the model whose answer is none."""
        answer = self._device.exchange(value, now)
        if not isinstance(answer, int) or not 0 <= answer <= 0xFF:
            raise OwnCodeFailed(f"{type(self._device).__name__}.exchange has returned {answer!r}, not a byte")
        return answer
