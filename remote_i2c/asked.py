"""A bus that is asked for by JSON: how a command uses a bus of a running server, over its admin socket.

A request names a bus: {"bus": name}, and has one of:

    "what": "bus"                                             {"functions": bits, "max_bytes": number}
    "transfer": [message, ..]                                 {"read": ["hex", ..]}
    "batch": [[message, ..], ..]: several transfers           {"batch": [["hex", ..], ..]}
    "quick": [address, true: read]                            {}

The last three have "timeout_ms": number, from the request's arrival to the answer. A message is [address, "hex"],
[address, size] or [address, size, true: counted]. A BusError is answered by {"failed": {"errno", "text", "place",
"bus", "address", "index"}}, that of a batch also by the answers of the transfers before it: "batch".
"""

import asyncio
import json
from binascii import hexlify, unhexlify

from remote_i2c.bus import TRANSFER_MS, Bus
from remote_i2c.errors import LOCK, BusError, timed_out
from remote_i2c.messages import Message

_OF_ERROR = ("place", "bus", "address", "index")
# The longest time that one may ask for.
MAX_MS = 60000
# Characters of the transfers of one request. A batch that has more is several requests.
MAX_CHARACTERS = 32 * 1024


async def answer_to(find, request):
    """Returns the answer, a dict. Args: find: function (name) that returns the SharedBus, or raises BusError.

    Raises: ValueError, TypeError, KeyError: no request."""
    try:
        bus = find(request["bus"])
        if request.get("what") == "bus":
            await bus.open()
            return {"functions": bus.functions, "max_bytes": bus.max_bytes}
        return await _done(bus, request)
    except BusError as error:
        told = {name: getattr(error, name) for name in _OF_ERROR}
        answer = {"failed": {"errno": error.errno, "text": error.strerror, **told}}
        return answer | {"batch": _hex_of_all(error.done)} if "batch" in request else answer


async def _done(bus, request):
    timeout_ms = request["timeout_ms"]
    if not isinstance(timeout_ms, int) or not 1 <= timeout_ms <= MAX_MS:
        raise ValueError(f"timeout_ms must be 1 to {MAX_MS}")
    # Both may raise, and nobody is to wait for that.
    quick = [*request["quick"]] if "quick" in request else None
    transfers = [] if quick else [_transfer(one) for one in request.get("batch") or [request["transfer"]]]
    loop = asyncio.get_running_loop()
    until_s = loop.time() + timeout_ms / 1000
    async with bus.hold(min(bus.wait_ms, timeout_ms)) as held:
        left_ms = int((until_s - loop.time()) * 1000)
        if left_ms <= 0:
            raise bus.named(timed_out(LOCK, f"others have had the bus for {timeout_ms} ms"))
        if quick:
            address, read = quick
            await held.quick(address, bool(read), left_ms)
            return {}
        if "batch" in request:
            return {"batch": _hex_of_all(await held.batch(transfers, left_ms))}
        return {"read": _hex_of(await held.transfer(transfers[0], left_ms))}


def _transfer(messages):
    return [_message(*one) for one in messages]


def _message(address, what, counted=False):
    if isinstance(what, str):
        return Message(address, unhexlify(what))
    if not isinstance(what, int) or isinstance(what, bool):
        raise TypeError("a message has bytes in hex, or a number of bytes to read")
    return Message(address, None, what, bool(counted))


def _hex(data):
    return str(hexlify(data), "ascii")


def _hex_of(answers):
    return [_hex(one) for one in answers]


def _hex_of_all(transfers):
    return [_hex_of(one) for one in transfers]


class AskedBus(Bus):
    """Args: name: of the bus; ask: coroutine function (request) that returns the answer. It raises BusError if the
    server is not there."""

    def __init__(self, name, ask):
        self.name = name
        self._ask = ask

    async def open(self):
        """As Bus.open. Raises: BusError(ENODEV): the server has no such bus."""
        found = await self._answer({"what": "bus"})
        self.functions, self.max_bytes = found["functions"], found["max_bytes"]

    async def transfer(self, transfer, timeout_ms=TRANSFER_MS):
        """As Bus.transfer."""
        self.check(transfer)
        answer = await self._answer({"transfer": _wanted(transfer), "timeout_ms": timeout_ms})
        return _bytes_of(answer["read"])

    async def batch(self, transfers, timeout_ms=TRANSFER_MS):
        """As Bus.batch. As many as fit share a request, which has `timeout_ms`; between requests the server may let
        others on the bus."""
        for transfer in transfers:
            self.check(transfer)
        done = []
        for some in _shared_out([_wanted(transfer) for transfer in transfers]):
            try:
                answer = await self._answer({"batch": some, "timeout_ms": timeout_ms})
            except BusError as error:
                error.done = done + list(error.done)
                raise
            done += [_bytes_of(one) for one in answer["batch"]]
        return done

    async def quick(self, address, read, timeout_ms=TRANSFER_MS):
        """As Bus.quick."""
        await self._answer({"quick": [address, read], "timeout_ms": timeout_ms})

    async def _answer(self, request):
        answer = await self._ask({"bus": self.name, **request})
        failed = answer.get("failed")
        if failed is not None:
            error = BusError(failed["errno"], failed["text"], **{name: failed[name] for name in _OF_ERROR})
            error.done = [_bytes_of(one) for one in answer.get("batch", ())]
            raise error
        return answer


def _shared_out(transfers):
    """Yields lists of transfers, as they are asked for, of which each list fits into a request."""
    some, size = [], 0
    for transfer in transfers:
        asks = len(json.dumps(transfer))
        if some and size + asks > MAX_CHARACTERS:
            yield some
            some, size = [], 0
        some.append(transfer)
        size += asks
    if some:
        yield some


def _bytes_of(answers):
    return [unhexlify(one) for one in answers]


def _wanted(transfer):
    return [_wanted_message(message) for message in transfer]


def _wanted_message(message):
    if message.data is not None:
        return [message.address, _hex(message.data)]
    return [message.address, message.size, message.counted]
