"""Which bus of which server a program means, and how the server is reached.

    SMBus("grpc://mast:50051/1")      # this server's bus 1; grpcs:// with TLS
    SMBus(1), SMBus("/dev/i2c-1")     # bus 1 of the server that PB_LINK_SMBUS names: grpc://mast:50051

The token comes from PB_LINK_SMBUS_TOKEN, and the certificates that sign the server's from the file PB_LINK_SMBUS_CA,
unless they are arguments.
"""

import os
from errno import ENODEV
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import grpc

from remote_i2c.listen import is_loopback

SERVER = "PB_LINK_SMBUS"
TOKEN = "PB_LINK_SMBUS_TOKEN"
CA = "PB_LINK_SMBUS_CA"
PORT = 50051

_SCHEMES = ("grpc", "grpcs")
_DEVICE = "/dev/i2c-"
_FORM = "grpc://HOST:PORT/BUS, or grpcs:// with TLS"

OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    # After an outage the server is there again within a second of its return.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A connection that has died silently is given up.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)


class Target(NamedTuple):
    """address: "HOST:PORT" for gRPC; bus: its name; token: str, or None; secure: with TLS; ca: bytes of PEM, or None:
    those of the system."""

    address: str
    bus: str
    token: str | None
    secure: bool
    ca: bytes | None

    @property
    def metadata(self):
        """Of each call."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def channel(self, library):
        """Returns a channel. library: grpc, or grpc.aio."""
        if not self.secure:
            return library.insecure_channel(self.address, options=OPTIONS)
        return library.secure_channel(self.address, grpc.ssl_channel_credentials(self.ca), options=OPTIONS)


def target_of(bus, token=None, ca=None, environment=os.environ):
    """Returns the Target. Args: bus: as above; token: str; ca: path of a file.

    Raises: TypeError, ValueError: it cannot be meant; OSError: no server is named, or the file cannot be read."""
    if isinstance(bus, bool) or not isinstance(bus, (int, str)):
        raise TypeError(f"a bus is an int or a str, not {type(bus).__name__}")
    token = token or environment.get(TOKEN) or None
    ca = ca or environment.get(CA) or None
    url, name = _url_and_name(bus, environment)
    parts = _split(url)
    secure = parts.scheme == "grpcs"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = f"{host}:{PORT if parts.port is None else parts.port}"
    if token and not secure and not is_loopback(parts.hostname):
        raise ValueError(f"the token could be read on its way to {address}: use grpcs://, or an ssh tunnel")
    return Target(address, name, token, secure, _content(ca) if secure and ca else None)


def _url_and_name(bus, environment):
    if isinstance(bus, str) and "://" in bus:
        name = unquote(_split(bus).path.strip("/"))
        if not name:
            raise ValueError(f"{bus!r} names no bus: {_FORM}")
        return bus, name
    name = str(bus).removeprefix(_DEVICE)
    url = environment.get(SERVER)
    if not url:
        raise OSError(ENODEV, f"no server is named for bus {name}: set {SERVER}=grpc://HOST:{PORT}")
    if _split(url).path.strip("/"):
        raise ValueError(f"{SERVER}={url} names a bus; the program does: leave it out")
    return url, name


def _split(url):
    parts = urlsplit(url)
    try:
        good = parts.scheme in _SCHEMES and parts.hostname and parts.port != 0
    except ValueError:  # the port
        good = False
    if not good or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not of the form {_FORM}")
    return parts


def _content(path):
    with open(path, "rb") as file:
        return file.read()
