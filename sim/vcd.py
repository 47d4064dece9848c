"""The wires of a run bit by bit, as a value change dump (IEEE 1364-2005, clause 18) for logic analyser software.

The nets change in the order that sim/wires/i2c_bits.py and the programs give, and some changes fall on one instant. In
the file each change has a time of its own, at least a tick after the one before, so that sda is stable when scl rises.
"""

TICK_S = 1e-7  # a half clock at 400 kHz is 12.5 of them
WIRES = ("scl", "sda", "syn", "ack", "rst")
IDS = dict(zip(WIRES, "!#$%&"))


class Dump:
    """Writes the changes of the nets to a file. Args: nets: mapping of WIRES to Net; now(): seconds."""

    def __init__(self, file, nets, now):
        self._file = file
        self._nets = nets
        self._now = now
        self._begin_s = now()
        self._tick = 0
        file.write("$timescale 100 ns $end\n$scope module link $end\n")
        for name in WIRES:
            file.write(f"$var wire 1 {IDS[name]} {name} $end\n")
        file.write("$upscope $end\n$enddefinitions $end\n#0\n$dumpvars\n")
        for name in WIRES:
            file.write(f"{nets[name].level}{IDS[name]}\n")
            nets[name].listen(self._changed)
        file.write("$end\n")

    def _changed(self, net):
        self._tick = max(self._tick + 1, self._ticks())
        self._file.write(f"#{self._tick}\n{net.level}{IDS[net.name]}\n")

    def _ticks(self):
        return round((self._now() - self._begin_s) / TICK_S)

    def end(self):
        """Ends the dump: the levels stay until now, and nothing more is written."""
        for name in WIRES:
            self._nets[name].unlisten(self._changed)
        self._file.write(f"#{max(self._tick + 1, self._ticks())}\n")


def dump(bus, nets, now, file):
    """Writes every transfer on the bus bit by bit over the nets into the file. Returns the Dump. Args: see Dump."""
    bus.expand_bits = True
    return Dump(file, nets, now)
