"""Makes a bus from its text, as settings and command lines have it:

    /dev/i2c-1              a bus of this computer (Linux)
    client:pump:0           bus 0 of the link's client "pump"
    sim:FILE                the bus of virtual sensors that FILE plans, in this process
    python:MODULE:FUNCTION  what FUNCTION(argument, name) of MODULE returns; with :TEXT behind it, that is the argument
"""

import importlib

from remote_i2c.bus import Bus

LINUX = "/dev/i2c-"
CLIENT = "client:"
SIM = "sim:"
PYTHON = "python:"
FORMS = "/dev/i2c-1, client:ID:BUS or sim:FILE"

# The highest number of a client's bus: a byte of the request.
HIGHEST_BUS = 255
# Where the simulator's buses are made. A name, because nothing but the simulator itself imports it; in an installed
# wheel it is below pb_link, as this module is.
_SIMULATOR = __name__.removesuffix("remote_i2c.providers") + "sim.remote_bus"


def make_bus(spec, name, connect=None):
    """Returns the Bus that a text names. It is not open yet.

    Args: spec: one of the texts above; name: of the bus, for people; connect: function (client id) that returns this
    client's Connection, and raises KeyError for one that is not known; None: there is no server here.
    Raises: ValueError that says what is wrong with the text, or what must be installed.
    """
    if spec.startswith(LINUX):
        return _linux(spec, name)
    if spec.startswith(CLIENT):
        return _of_client(spec, name, connect)
    if spec.startswith(SIM):
        return _by_python(spec, _SIMULATOR, "make_bus", _file(spec), name)
    if spec.startswith(PYTHON):
        return _by_python(spec, *_parts(spec), name)
    raise ValueError(f"{spec!r} names no bus: {FORMS} is needed")


def same_bus(spec):
    """Returns the text by which the bus of a text is told from others. Raises: ValueError: it names none."""
    check_spec(spec)
    if spec.startswith(LINUX):
        return f"{LINUX}{_linux_number(spec)}"
    if spec.startswith(CLIENT):
        return "{}{}:{}".format(CLIENT, *_client_and_bus(spec))
    return spec


def client_of(spec):
    """Returns the id of the client in the text of a client's bus. Raises: ValueError."""
    return _client_and_bus(spec)[0]


def check_spec(spec):
    """Raises: ValueError: this text names no bus. What it names is not looked at."""
    if spec.startswith(LINUX):
        _linux_number(spec)
    elif spec.startswith(CLIENT):
        _client_and_bus(spec)
    elif spec.startswith(SIM):
        _file(spec)
    elif spec.startswith(PYTHON):
        _parts(spec)
    else:
        raise ValueError(f"{spec!r} names no bus: {FORMS} is needed")


def _linux(spec, name):
    number = _linux_number(spec)
    try:
        from remote_i2c.linux import LinuxBus
    except ImportError:
        raise ValueError(f"{spec} needs the extra linux: pip install '.[linux]' in the checkout") from None
    return LinuxBus(number, name)


def _linux_number(spec):
    digits = spec.removeprefix(LINUX)
    if not (digits.isascii() and digits.isdecimal()):
        raise ValueError(f"{spec}: a number is needed behind {LINUX}")
    return int(digits)


def _of_client(spec, name, connect):
    client_id, number = _client_and_bus(spec)
    if connect is None:
        raise ValueError(f"{spec}: only the server reaches its clients: name the bus in its settings, section [i2c]")
    from remote_i2c.client import ClientBus

    try:
        connection = connect(client_id)
    except KeyError:
        raise ValueError(f"{spec}: the server knows no client {client_id}") from None
    return ClientBus(connection, number, name)


def _client_and_bus(spec):
    client_id, colon, digits = spec.removeprefix(CLIENT).rpartition(":")
    if not client_id or not (digits.isascii() and digits.isdecimal()) or int(digits) > HIGHEST_BUS:
        raise ValueError(f"{spec}: client:ID:BUS is needed, with BUS from 0 to {HIGHEST_BUS}")
    return client_id, int(digits)


def _file(spec):
    file = spec.removeprefix(SIM)
    if not file:
        raise ValueError(f"{spec}: sim:FILE is needed")
    return file


def _parts(spec):
    """Returns module, function and argument."""
    module, _, rest = spec.removeprefix(PYTHON).partition(":")
    function, _, argument = rest.partition(":")
    if not (module and function):
        raise ValueError(f"{spec}: python:MODULE:FUNCTION is needed")
    return module, function, argument


def _by_python(spec, module, function, argument, name):
    try:
        make = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{spec}: {error}") from None
    bus = make(argument, name)
    if not isinstance(bus, Bus):
        raise ValueError(f"{spec}: {function} has returned no Bus of remote_i2c/bus.py")
    return bus
