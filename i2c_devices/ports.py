"""The way in which a board becomes an I2C target, and how its pins are set.

What a board's port can do is in `port_table.py`: a device asks there, and raises at once, with a sentence, for what it
cannot. The link can do with any port, and does not load that.
"""

import sys

try:
    from micropython import schedule
except ImportError:  # CPython

    def schedule(function, argument):
        """Have the function called soon, outside of the interrupt."""
        function(argument)


# Pins. Of what `Pin.init` takes, only this is the same everywhere: after `init(OPEN_DRAIN, value=0)` a pin of samd is
# not low, and zephyr's OPEN_DRAIN is no output.


def drive(pin, level):
    """Make the Pin an output of this level, whatever it was before. A level written to an input is lost."""
    pin.init(pin.OUT, value=level)


def let_go(pin):
    """Make the Pin an input, pulled up."""
    pin.init(pin.IN, pin.PULL_UP)


def release(pin, level):
    """Let go a reset wire that is active at this level."""
    if level:
        drive(pin, 0)
    else:  # as an open drain does: a button at the other end may pull it low as well
        let_go(pin)


class TargetPort:
    """The way in which this board becomes an I2C target.

    It is kept, because the target is opened again each time the bus has been released.

    Args:
        factory: machine.I2CTarget, or something like it.
        *args, **kwargs: its arguments without mem and mem_addrsize, e.g.
            TargetPort(I2CTarget, "X", addr=0x12) on a Pyboard,
            TargetPort(I2CTarget, 0, addr=0x12, scl=Pin(1), sda=Pin(0)) on a Pico.
        port: Port; None: that of this board.
    """

    def __init__(self, factory, *args, port=None, **kwargs):
        self._port = port
        self._factory = factory
        self._args = args
        self._kwargs = kwargs

    @property
    def port(self):
        """The Port."""
        if self._port is None:
            from i2c_devices.port_table import port_named  # here, because the link does not need it

            self._port = port_named(sys.platform)
        return self._port

    def lines(self, pin_class):
        """scl and sda as a list of (name, Pin), for validate_pins; [] if the port does not say which they are.

        Raises: ValueError if they are absent on a port whose boards differ in them.
        """
        from i2c_devices.pins import lines  # here, because only the start needs it

        name = self._port.name if self._port else sys.platform
        return lines(name, self._args, self._kwargs, pin_class)

    def open(self, mem, mem_addrsize):
        """The I2CTarget that is a memory."""
        return self._factory(*self._args, mem=mem, mem_addrsize=mem_addrsize, **self._kwargs)

    def open_bytes(self):
        """The I2CTarget that asks for each byte."""
        return self._factory(*self._args, **self._kwargs)

    def schedule(self, function):
        """Have function(0) called soon, outside of the interrupt. False if the scheduler's queue is full."""
        try:
            schedule(function, 0)
        except RuntimeError:
            return False
        return True
