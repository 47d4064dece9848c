"""Which devices are on a client's sensor bus, as far as the client says: for who shows why nothing comes."""

from protocol.errors import LinkError
from server.core.sensors import CommandFailed


async def devices_of(connection):
    """Returns {device id: type or None} of what is on the client's bus; None: the client does not say. It takes as long
    as a command may."""
    try:
        found = await connection.sensors().command("listdevs", wait=False)
        bus = found["bus"]
        return {"%d_%x" % (bus, address): name if isinstance(name, str) else None for address, name, _ in found["devs"]}
    except (LinkError, CommandFailed, KeyError, TypeError, ValueError, OverflowError):  # "%d" of infinity
        return None
