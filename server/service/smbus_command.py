"""`pb-link smbus serve`: SMBus over gRPC for buses of this computer, and of clients of the server that runs here.

Its log is that of smbus-proxy, whose place it takes: which client, which call, at which address and register.
"""

import asyncio
import logging
import sys
from types import SimpleNamespace

from server.service.served_buses import BUS_HELP, allowed_addresses, bus_specs, opened, shared_buses, until_told

LISTEN = "127.0.0.1:50051"


def add_smbus(command):
    """Add the command. Args: command: function (name, run, text) that returns an ArgumentParser."""
    one = command("smbus", run, "Serve I2C buses by SMBus over gRPC.")
    one.add_argument("what", choices=["serve"])
    one.add_argument("--bus", action="append", metavar="NAME=BUS", help=BUS_HELP)
    one.add_argument("--listen", default=LISTEN, metavar="HOST:PORT", help=f"where clients come (default: {LISTEN})")
    one.add_argument("--token-file", metavar="FILE", help="with the token alone; or set PB_LINK_SMBUS_TOKEN")
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
        raise ValueError("smbus needs the extra grpc: pip install '.[grpc]' in the checkout") from None
    asyncio.run(_serve(options, settings, _log(sys.stderr)))
    return 0


async def _serve(options, settings, log):
    from remote_i2c.rpc.door import SmbusDoor

    token, tls = _secrets(options)
    buses = _buses(options, settings)
    door = SmbusDoor(buses, options.listen, token=token, tls=tls, log=log, expiry_s=_expiry(options.expiry))
    async with opened(buses):
        await until_told(door.run())


def _buses(options, settings):
    """Returns {name: SharedBus}. Raises: ValueError."""
    from remote_i2c.addresses import ORDINARY
    from remote_i2c.listen import is_loopback, split_listen

    specs = bus_specs(options.bus)
    allowed = allowed_addresses(options.addresses, specs)
    if not is_loopback(split_listen(options.listen)[0]):
        lacking = [name for name in specs if name not in allowed]
        if lacking:
            raise ValueError(
                f"bus {lacking[0]} can be reached from elsewhere: say which devices may be used, --addresses 0x48,0x76"
            )
    return shared_buses(specs, allowed, ORDINARY, settings.admin_socket)


def _secrets(options):
    """Returns (token or None, TLS or None). Raises: ValueError, OSError."""
    from remote_i2c.tls import read_tls

    if (options.tls_cert is None) != (options.tls_key is None):
        raise ValueError("--tls-cert and --tls-key belong together")
    # The secret is that of the gateway, which opens the same door. The door checks it.
    files = SimpleNamespace(smbus_token_file=options.token_file, web_token_file=None)
    token = options.secrets.of_gateway("i2c", files)["smbus_token"]()
    return token, None if options.tls_cert is None else read_tls(options.tls_cert, options.tls_key)


def _expiry(seconds):
    if not 0.1 <= seconds <= 3600:
        raise ValueError(f"--expiry {seconds:g} must be 0.1 to 3600 s")
    return seconds


def _log(stream):
    """Returns the log of a door, which writes lines as smbus-proxy does."""
    from remote_i2c.rpc.log_lines import line_of

    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s :: %(levelname)s :: %(message)s"))
    log = logging.Logger("pb_link.smbus")
    log.addHandler(handler)
    return lambda event, **details: log.info("%s", line_of(event, **details))
