"""The server's commands to a sensor bus: requests of JSON on system channel 6. Loaded by the service.

A command is an object with "cmd" and its arguments. The answer is an object: the result, or {"error": code, "text": in
words}. The codes are those of ERRORS, so that the caller can tell an absent device from a slow one. The whole table is
in docs/sensor-bus.md, "Commands".

This uses the interpreter's own json: what it takes beyond the standard does no harm here.
"""

import json
from binascii import hexlify, unhexlify

from protocol import const
from sensor_bus.errors import Barred, BusStuck, NoAnswer, QueueFull, TimedOut

# Bytes that one raw request may write, or read.
MAX_RAW = const(240)
MAX_TIMEOUT_MS = const(10000)
_TIMEOUT_MS = const(1000)

ERRORS = (
    (Barred, "barred"),
    (NoAnswer, "no_answer"),
    (TimedOut, "timeout"),
    (BusStuck, "bus_stuck"),
    (QueueFull, "queue_full"),
    (OSError, "bus_error"),
    (KeyError, "unknown"),
    (IndexError, "unknown"),
    (ValueError, "bad_request"),
    (TypeError, "bad_request"),
)

_RAW = ("cmdraw", "addtype")


class Commands:
    """Args: bus: SensorBus; number: of the bus, in device ids; allow_raw: False: no cmdraw, no addtype."""

    def __init__(self, bus, number, allow_raw):
        self._bus = bus
        self._number = number
        self._allow_raw = allow_raw

    async def answer(self, data):
        """The handler of the requests. Returns bytes of JSON."""
        try:
            found = await self._result(data)
        except Exception as error:
            code = next((code for kind, code in ERRORS if isinstance(error, kind)), None)
            if code is None:
                raise  # of this program: the caller gets its text
            found = {"error": code, "text": str(error)}
        return json.dumps(found).encode()

    async def _result(self, data):
        request = json.loads(str(data, "utf-8"))
        if not isinstance(request, dict):
            raise ValueError("a command must be an object")
        name = request.get("cmd")
        if not isinstance(name, str) or name[:1] == "_" or not hasattr(Commands, "do_" + name):
            raise ValueError("there is no command %r" % (name,))
        if name in _RAW and not self._allow_raw:
            return {"error": "not_allowed", "text": "this client's service takes no " + name}
        found = getattr(self, "do_" + name)(request)
        if found is not None and hasattr(found, "send"):
            found = await found
        return found or {}

    # The commands. Each takes the request and returns the answer.

    def do_listdevs(self, request):
        records = self._bus.records
        return {
            "bus": self._number,
            "devs": [
                [address, None if number is None else records.name(number), status]
                for address, number, status in self._bus.devices()
            ],
        }

    def do_typeinfo(self, request):
        records = self._bus.records
        name = request["type"]
        number = name if isinstance(name, int) else records.number(name)
        return {"type": records.name(number), "number": number, "info": records.info(number)}

    async def do_cmdraw(self, request):
        write = unhexlify(request.get("write", ""))
        size = _number(request, "read", 0, MAX_RAW, 0)
        if len(write) > MAX_RAW:
            raise ValueError("write has %d bytes, at most %d go" % (len(write), MAX_RAW))
        timeout_ms = _number(request, "timeout_ms", 1, MAX_TIMEOUT_MS, _TIMEOUT_MS)
        data = await self._bus.request(request["addr"], write, size, timeout_ms=timeout_ms)
        return {"data": str(hexlify(data), "utf-8")}

    def do_devconfig(self, request):
        self._bus.configure(
            request["addr"], interval_us=request.get("interval_us"), samples=request.get("samples")
        )

    def do_bar(self, request):
        self._bus.bar(request["addr"], _number(request, "ms", 0, 1 << 16, None))

    def do_pause(self, request):
        self._bus.pause()

    def do_resume(self, request):
        self._bus.resume()

    def do_rescan(self, request):
        self._bus.rescan()

    def do_addtype(self, request):
        return {"number": self._bus.add_type(request["record"])}


def _number(request, name, lowest, highest, default):
    found = request.get(name, default)
    if not isinstance(found, int) or not lowest <= found <= highest:
        raise ValueError("%s must be a number %d..%d, not %r" % (name, lowest, highest, found))
    return found
