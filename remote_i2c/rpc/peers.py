"""Who calls, and whether that is this computer."""

import ipaddress
from urllib.parse import unquote


def host_of(peer):
    """Returns the address, without its port, of a peer as gRPC names it: "ipv4:192.0.2.7:51234"."""
    kind, _, rest = unquote(peer).partition(":")
    if kind in ("ipv4", "ipv6"):
        return rest.rpartition(":")[0].strip("[]")
    return peer


def is_loopback(listen):
    """Returns whether only this computer reaches "HOST:PORT". Raises: ValueError: it is not of this form."""
    host, port = split_listen(listen)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name: nobody knows what it means tomorrow


def split_listen(listen):
    """Returns (host, port) of "127.0.0.1:50051" or "[::1]:50051". Raises: ValueError."""
    host, colon, port = listen.rpartition(":")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) < 65536):
        raise ValueError(f"listen {listen!r} must be HOST:PORT, such as 127.0.0.1:50051 or [::1]:50051")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"listen {listen!r}: an IPv6 address has brackets, such as [::1]:50051")
    return host.strip("[]"), int(port)
