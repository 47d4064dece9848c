"""What the commands that serve I2C buses have in common: `--bus`, `--addresses`, and the end by a signal."""

import asyncio
import contextlib

from remote_i2c.addresses import parse_addresses
from remote_i2c.sharing import Sharing
from server.service.asked_server import bus_maker
from server.service.signals import on_signal

BUS_HELP = (
    "a bus, and its name here: 1=/dev/i2c-1, 2=client:ID:BUS of the server that runs here, or test=sim:FILE for "
    "virtual sensors. Several are possible"
)


def bus_specs(texts):
    """Returns {name: text of the bus} of a list such as ["1=/dev/i2c-1"], or of None. Raises: ValueError."""
    if not texts:
        raise ValueError("no bus is named: --bus 1=/dev/i2c-1")
    specs = {}
    for text in texts:
        name, equals, spec = text.partition("=")
        if not (equals and name and spec):
            raise ValueError(f"--bus {text}: NAME=BUS is needed, such as 1=/dev/i2c-1")
        if name in specs:
            raise ValueError(f"--bus {text}: there is a bus {name} already")
        specs[name] = spec
    return specs


def allowed_addresses(texts, names):
    """Returns {name of a bus: set of its addresses} of a list such as ["0x48", "1=0x20-0x27"], or of None. Those of one
    bus count in its case, and not those of all; a bus that has neither is left out. Raises: ValueError."""
    of_all, of_one = None, {}
    for text in texts or ():
        name, equals, addresses = text.rpartition("=")
        if equals and name not in names:
            raise ValueError(f"--addresses {text}: there is no bus {name}")
        if equals:
            of_one[name] = of_one.get(name, frozenset()) | parse_addresses(addresses)
        else:
            of_all = (of_all or frozenset()) | parse_addresses(addresses)
    if of_all is not None:
        return {name: of_one.get(name, of_all) for name in names}
    return of_one


def shared_buses(specs, addresses, default, admin_socket):
    """Returns {name: SharedBus}, which are not open. Args: specs, addresses: as the functions above return them;
    default: addresses of a bus that has none there; admin_socket: path, of the running server. Raises: ValueError."""
    sharing = Sharing(bus_maker(admin_socket))
    return {name: sharing.bus(spec, name, addresses.get(name, default)) for name, spec in specs.items()}


@contextlib.asynccontextmanager
async def opened(buses):
    """The buses are open in this block. Args: {name: SharedBus}. Raises: BusError: one of them cannot be opened."""
    async with contextlib.AsyncExitStack() as stack:
        for bus in buses.values():
            await bus.open()
            stack.push_async_callback(bus.close)
        yield


async def until_told(serving):
    """Run a coroutine until SIGINT or SIGTERM ends it, or it raises."""
    task, loop = asyncio.ensure_future(serving), asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGINT"):
        on_signal(loop, name, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        pass  # that is how it ends
