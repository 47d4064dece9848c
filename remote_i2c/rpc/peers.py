"""Who calls."""

from urllib.parse import unquote


def host_of(peer):
    """Returns the address, without its port, of a peer as gRPC names it: "ipv4:192.0.2.7:51234"."""
    kind, _, rest = unquote(peer).partition(":")
    if kind in ("ipv4", "ipv6"):
        return rest.rpartition(":")[0].strip("[]")
    return peer
