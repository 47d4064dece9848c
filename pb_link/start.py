"""What only the start needs: the validation of the client's arguments. A board has their memory back afterwards."""

import os

from i2c_devices.pins import validate_pins
from pb_link.loading import forget as forget_module
from pb_link.loading import half_loaded
from pb_link.settings import Settings
from protocol.credentials import parse_id

# Used by nothing else while the link runs. Names that other modules have taken from them stay valid.
_MODULES = (
    "pb_link.start", "pb_link.settings", "protocol.config_record", "protocol.credentials", "protocol.receive_space",
    "i2c_devices.pins",
)  # fmt: skip
# What the console is loaded with.
_CONSOLE = (
    "pb_link.console pb_link.console_input pb_link.console_print pb_link.runner pb_link.channels"
    " protocol.channel_session protocol.channels protocol.channel protocol.channel_receiver protocol.channel_records"
    " protocol.channel_sender protocol.channel_errors"
)


def validated(conn_id, config, hardware, console, repl):
    """Return ((client id, Settings, hardware) for a Link, functions (link) that give it what not all clients have).

    Raises: what AppBase raises."""
    if not hasattr(os, "urandom"):
        raise RuntimeError("this board has no os.urandom, which keys and sessions rest on: see docs/hardware.md")
    arguments = parse_id(conn_id), Settings(config), _hardware(hardware)
    more = ()
    if console or repl:
        console = console_class(console, repl)
        more += (lambda link: console(link, repl),)
    records = []
    while record := arguments[1].record(len(records)):
        records.append(record)
    if len(records) > 1:
        try:
            from pb_link import addresses
        except MemoryError:
            half_loaded("pb_link.addresses")
            raise
        more += (lambda link: addresses.load(link, records),)
    return arguments, more


def console_class(console, repl):
    """Return the class Console: few use it. Raises: ValueError; MemoryError: the next call may succeed."""
    if not console:
        raise ValueError("repl=True needs console=True")
    if repl and not hasattr(os, "dupterm"):
        raise ValueError("repl=True needs os.dupterm, which this build of MicroPython lacks: docs/console.md")
    try:
        import protocol.channel  # noqa: F401 - first: each import inside of another takes C stack
        from pb_link import console as module

        module.load(repl)
        return module.Console
    except MemoryError:
        for name in _CONSOLE.split():  # any of them may be half loaded
            half_loaded(name)
        raise


def forget():
    """In MicroPython, have the modules above loaded anew when they are imported again. In CPython nothing."""
    for name in _MODULES:
        forget_module(name)


def _hardware(hardware):
    if not isinstance(hardware, (list, tuple)) or len(hardware) != 4:
        raise ValueError("hardware must be [i2c, syn, ack, rst]")
    i2c, syn, ack, rst = hardware
    if not hasattr(i2c, "lines"):
        raise TypeError("hardware: i2c must be a TargetPort (i2c_devices.ports)")
    lines = [("syn", syn), ("ack", ack)]
    if rst is not None:
        _validate_reset(rst)
        lines.append(("rst", rst[0]))
    for name, pin in lines:
        if not (callable(pin) and hasattr(pin, "init")):
            raise TypeError("hardware: %s must be a Pin" % name)
    validate_pins(i2c.lines(type(syn)) + lines)
    return hardware


def _validate_reset(rst):
    if not isinstance(rst, (list, tuple)) or len(rst) != 3:
        raise TypeError("hardware: rst must be (Pin, level, pulse in ms) or None")
    _, level, pulse_ms = rst
    if level not in (0, 1):
        raise ValueError("hardware: the level of rst must be 0 or 1")
    if not isinstance(pulse_ms, int) or not 1 <= pulse_ms <= 10000:
        raise ValueError("hardware: the pulse of rst must be 1..10000 ms")
