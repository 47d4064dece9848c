"""Where a door listens, "HOST:PORT", and whether others than this computer reach it. Pure."""

import ipaddress

LOCAL_NAME = "localhost"


def split_listen(listen):
    """Returns (host, port) of "127.0.0.1:50051" or "[::1]:50051". Raises: ValueError."""
    host, colon, port = listen.strip().rpartition(":")
    if not (colon and port.isascii() and port.isdecimal() and int(port) < 65536):
        raise ValueError(f"listen {listen!r} must be HOST:PORT, such as 127.0.0.1:50051 or [::1]:50051")
    if not host:
        raise ValueError(f'listen {listen!r} names no host: write "127.0.0.1:{port}", such as for this computer alone, '
                         f'"[::1]:{port}", or "0.0.0.0:{port}" for all networks')  # fmt: skip
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"listen {listen!r}: an IPv6 address has brackets, such as [::1]:{port}")
    return host.strip("[]"), int(port)


def is_loopback(host):
    """Returns whether only programs of this computer reach who listens there. host: without a port."""
    if host == LOCAL_NAME:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name: nobody knows what it means tomorrow
