"""A bus that is asked for by JSON: how a command uses a bus of a running server, over its admin socket.

A request is {"what": "buses"}, which is answered by {"buses": {name: {"functions": bits, "max_bytes": number}}}, or
{"bus": name, "timeout_ms": number} with one of:

    "transfer": [[address, "hex"], [address, size], [address, size, true: counted], ..]     {"read": ["hex", ..]}
    "quick": [address, true: read]                                                        {}

A BusError is answered by {"failed": {"errno", "text", "place", "bus", "address", "index"}}.
"""

from binascii import hexlify, unhexlify

from remote_i2c.bus import TRANSFER_MS, Bus
from remote_i2c.errors import CALLER, BusError, closed
from remote_i2c.messages import Message

_OF_ERROR = ("place", "bus", "address", "index")
# The longest time that one may ask for.
MAX_MS = 60000


async def answer_to(buses, request):
    """Returns the answer, a dict. buses: {name: SharedBus}. Raises: ValueError, TypeError, KeyError: no request."""
    if request.get("what") == "buses":
        return {
            "buses": {name: {"functions": bus.functions, "max_bytes": bus.max_bytes} for name, bus in buses.items()}
        }
    if request["bus"] not in buses:
        raise ValueError(f"the server has no bus {request['bus']!r}, but {', '.join(buses)}")
    bus, timeout_ms = buses[request["bus"]], request["timeout_ms"]
    if not isinstance(timeout_ms, int) or not 1 <= timeout_ms <= MAX_MS:
        raise ValueError(f"timeout_ms must be 1 to {MAX_MS}")
    try:
        if "quick" in request:
            address, read = request["quick"]
            await bus.quick(address, bool(read), timeout_ms)
            return {}
        transfer = [_message(*one) for one in request["transfer"]]
        return {"read": [_hex(one) for one in await bus.transfer(transfer, timeout_ms)]}
    except BusError as error:
        told = {name: getattr(error, name) for name in _OF_ERROR}
        return {"failed": {"errno": error.errno, "text": error.strerror, **told}}


def _message(address, what, counted=False):
    if isinstance(what, str):
        return Message(address, unhexlify(what))
    if not isinstance(what, int) or isinstance(what, bool):
        raise TypeError("a message has bytes in hex, or a number of bytes to read")
    return Message(address, None, what, bool(counted))


def _hex(data):
    return str(hexlify(data), "ascii")


class AskedBus(Bus):
    """Args: name: of the bus; ask: function (request) that returns the answer. It may block, and raises what it does if
    the server is not there."""

    def __init__(self, name, ask):
        self.name = name
        self._ask = ask

    async def open(self):
        """As Bus.open. Raises: BusError(ENODEV): the server has no such bus."""
        buses = self._ask({"what": "buses"})["buses"]
        if self.name not in buses:
            raise BusError(closed().errno, f"the server has no bus {self.name}: {', '.join(buses)}", place=CALLER)
        self.functions = buses[self.name]["functions"]
        self.max_bytes = buses[self.name]["max_bytes"]

    async def transfer(self, transfer, timeout_ms=TRANSFER_MS):
        """As Bus.transfer."""
        self.check(transfer)
        messages = [_wanted(message) for message in transfer]
        answer = self._answer({"transfer": messages}, timeout_ms)
        return [unhexlify(one) for one in answer["read"]]

    async def quick(self, address, read, timeout_ms=TRANSFER_MS):
        """As Bus.quick."""
        self._answer({"quick": [address, read]}, timeout_ms)

    def _answer(self, request, timeout_ms):
        answer = self._ask({"bus": self.name, "timeout_ms": timeout_ms, **request})
        failed = answer.get("failed")
        if failed is not None:
            raise BusError(failed["errno"], failed["text"], **{name: failed[name] for name in _OF_ERROR})
        return answer


def _wanted(message):
    if message.data is not None:
        return [message.address, _hex(message.data)]
    return [message.address, message.size, message.counted]
