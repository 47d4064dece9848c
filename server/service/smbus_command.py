"""`pb-link smbus serve`: SMBus over gRPC for buses of this computer, without the link's server.

Its log is that of smbus-proxy, whose place it takes: which client, which call, at which address and register.
"""

import asyncio
import logging
import signal
import sys

LISTEN = "127.0.0.1:50051"
EVERYWHERE = "all"


def add_smbus(command):
    """Add the command. Args: command: function (name, run, text) that returns an ArgumentParser."""
    one = command("smbus", run, "Serve I2C buses by SMBus over gRPC.")
    one.add_argument("what", choices=["serve"])
    one.add_argument(
        "--bus", action="append", metavar="NAME=BUS",
        help="a bus, and its name here: 1=/dev/i2c-1, or test=sim:FILE for virtual sensors. Several are possible",
    )  # fmt: skip
    one.add_argument("--listen", default=LISTEN, metavar="HOST:PORT", help=f"where clients come (default: {LISTEN})")
    one.add_argument("--token-file", metavar="FILE", help="the token that clients need; needed beyond this computer")
    one.add_argument("--tls-cert", metavar="FILE", help="the certificate with its chain, PEM; needed beyond it")
    one.add_argument("--tls-key", metavar="FILE", help="its key, PEM")
    one.add_argument(
        "--addresses", action="append", metavar="[NAME=]LIST",
        help='those that may be used, of all buses or of one: "0x48, 0x20-0x27" (default on this computer: "all")',
    )  # fmt: skip
    one.add_argument("--expiry", type=float, default=5.0, metavar="S", help="of clients that do nothing (default: 5)")


def run(options, settings):
    """Serve until SIGTERM or Ctrl-C. Returns the exit status. Raises: ValueError, OSError: it cannot be served so."""
    try:
        import grpc  # noqa: F401
    except ImportError:
        raise ValueError("smbus needs the extra grpc: pip install 'pb-link[grpc]'") from None
    log = _log(sys.stderr)
    asyncio.run(_serve(options, log.info))
    return 0


async def _serve(options, log):
    from remote_i2c.rpc.door import SmbusDoor

    token, tls = _secrets(options)
    buses = _buses(options)
    door = SmbusDoor(buses, options.listen, token=token, tls=tls, log=log, expiry_s=_expiry(options.expiry))
    opened = []
    try:
        for bus in buses.values():
            await bus.open()
            opened.append(bus)
        await _until_told(door.run())
    finally:
        for bus in opened:
            await bus.close()


async def _until_told(serving):
    """Run a coroutine until a signal ends it."""
    task, loop = asyncio.ensure_future(serving), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        pass  # that is how it ends


def _buses(options):
    """Returns {name: SharedBus}. Raises: ValueError."""
    from remote_i2c.addresses import parse_addresses
    from remote_i2c.providers import make_bus
    from remote_i2c.rpc.peers import is_loopback
    from remote_i2c.shared import SharedBus

    if not options.bus:
        raise ValueError("no bus is named: --bus 1=/dev/i2c-1")
    specs = {}
    for text in options.bus:
        name, equals, spec = text.partition("=")
        if not (equals and name and spec):
            raise ValueError(f"--bus {text}: NAME=BUS is needed, such as 1=/dev/i2c-1")
        if name in specs:
            raise ValueError(f"--bus {text}: there is a bus {name} already")
        specs[name] = spec
    allowed = _allowed(options.addresses or [], specs)
    if not is_loopback(options.listen) and (lacking := [name for name in specs if name not in allowed]):
        raise ValueError(
            f"bus {lacking[0]} can be reached from elsewhere: say which devices may be used, --addresses 0x48,0x76"
        )
    return {
        name: SharedBus(make_bus(spec, name), parse_addresses(allowed.get(name, EVERYWHERE)))
        for name, spec in specs.items()
    }


def _allowed(texts, names):
    """Returns {name of a bus: text of its addresses}. Raises: ValueError."""
    found = {}
    for text in texts:
        name, equals, addresses = text.partition("=")
        if not equals:
            found = {**dict.fromkeys(names, text), **found}
        elif name not in names:
            raise ValueError(f"--addresses {text}: there is no bus {name}")
        else:
            found[name] = addresses
    return found


def _secrets(options):
    """Returns (token or None, TLS or None). Raises: ValueError, OSError."""
    from remote_i2c.rpc.access import read_token
    from remote_i2c.rpc.door import TLS

    if (options.tls_cert is None) != (options.tls_key is None):
        raise ValueError("--tls-cert and --tls-key belong together")
    token = None if options.token_file is None else read_token(_bytes(options.token_file).decode("utf-8", "replace"))
    tls = None if options.tls_cert is None else TLS(_bytes(options.tls_cert), _bytes(options.tls_key))
    return token, tls


def _bytes(path):
    with open(path, "rb") as file:
        return file.read()


def _expiry(seconds):
    if not 0.1 <= seconds <= 3600:
        raise ValueError(f"--expiry {seconds:g} must be 0.1 to 3600 s")
    return seconds


def _log(stream):
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s :: %(levelname)s :: %(message)s"))
    log = logging.Logger("pb_link.smbus")
    log.addHandler(handler)
    return log
