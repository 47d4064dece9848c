"""`pb-link web-i2c serve`: buses for web pages, without a server of the link. It runs until SIGINT or SIGTERM."""

import asyncio
import json
import sys
from types import SimpleNamespace

from server.core.shown import harmless
from server.service.served_buses import BUS_HELP, allowed_addresses, bus_specs, opened, shared_buses, until_told


def add_web_i2c(command):
    """Add the command. Args: command: function (name, run, text) that returns an ArgumentParser."""
    parser = command("web-i2c", run, "Serve I2C buses to web pages, by the Web I2C API. No server is needed.")
    parser.add_argument("what", choices=["serve"])
    parser.add_argument("--bus", action="append", metavar="NAME=BUS", help=BUS_HELP)
    parser.add_argument(
        "--addresses", action="append", metavar="[NAME=]LIST",
        help='those that may be used, of all buses or of one: "0x48, 0x20-0x27", or "all" (default: none)',
    )  # fmt: skip
    parser.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT")
    parser.add_argument("--token-file", metavar="FILE", help="with the token alone; or set PB_LINK_WEB_TOKEN")
    parser.add_argument("--origin", action="append", default=[], help="of pages that others serve: http://host:port")
    parser.add_argument("--host-name", action="append", default=[], help="by which the door may be asked for")
    parser.add_argument("--tls-cert", metavar="FILE", help="the certificate with its chain, PEM")
    parser.add_argument("--tls-key", metavar="FILE", help="its key, PEM")
    parser.add_argument("--plain", action="store_true", help="without TLS beyond this computer: a proxy protects it")
    parser.add_argument("--chirimen", metavar="HOST:PORT", help="for CHIRIMEN's protocol: 127.0.0.1:33330")
    parser.add_argument("--chirimen-bus", metavar="NAME")


def run(options, settings):
    """Serve. Returns the exit status. Raises: ValueError, OSError: it cannot start."""
    buses = _buses(options, settings)
    # The secret is that of the gateway, which opens the same door.
    files = SimpleNamespace(web_token_file=options.token_file, smbus_token_file=None)
    token = options.secrets.of_gateway("i2c", files)["web_token"]()
    if (options.tls_cert is None) != (options.tls_key is None):
        raise ValueError("--tls-cert and --tls-key belong together")
    tls = (options.tls_cert, options.tls_key) if options.tls_key else None
    try:
        from remote_i2c.web.door import WebDoor
    except ImportError as error:
        raise ValueError(f"Web I2C needs the extra web ({error}): pip install '.[web]' in the checkout") from None

    async def serve():
        door = WebDoor(
            buses, options.listen, token=token, origins=options.origin, hosts=options.host_name, tls=tls,
            plain=options.plain, chirimen=options.chirimen, chirimen_bus=options.chirimen_bus,
            log=_printer(options.json),
        )  # fmt: skip
        async with opened(buses):
            await until_told(door.run())

    asyncio.run(serve())
    return 0


def _buses(options, settings):
    """Returns {name: SharedBus}. Raises: ValueError."""
    specs = bus_specs(options.bus)
    addresses = allowed_addresses(options.addresses, specs)
    if not any(addresses.values()):
        raise ValueError('no address may be used: name them, such as --addresses 0x48,0x76, or "all"')
    return shared_buses(specs, addresses, (), settings.admin_socket)


def _printer(as_json):
    def show(event, **details):
        if as_json:
            text = json.dumps({"event": event, **details})
        else:
            text = " ".join([event, *(f"{name}={_shown(value)}" for name, value in details.items())])
        print(text, file=sys.stderr, flush=True)

    return show


def _shown(value):
    return ",".join(map(str, value)) if isinstance(value, list) else harmless(str(value))
