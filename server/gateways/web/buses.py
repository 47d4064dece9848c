"""I2C buses by the page and the API: those of the section [i2c] that the setting `i2c` of [web] names, and no others.

The I2C gateway has them (docs/remote-i2c.md): its order of callers, its limits of time and its lists of addresses hold
here as at its doors. This module asks it as commands of pb-link do, and knows no other name.
"""

import asyncio
from binascii import unhexlify
from errno import EACCES, EAGAIN, errorcode

from remote_i2c.asked import AskedBus
from remote_i2c.errors import BusError
from remote_i2c.messages import check, read, write
from remote_i2c.providers import CLIENT, client_of
from remote_i2c.tools.detect import IN_USE, NO_ANSWER, UNKNOWN, cell
from server.gateways.setting import SettingsError
from server.gateways.web.places import Places
from server.gateways.web.roles import SEND, VIEW
from server.gateways.web.routes import Failure, Route, body_of
from server.gateways.web.settings import unknown_bus

SCAN_S = 20.0  # of a scan, however slow the way to the bus is
MAX_CALLS = 16  # at a time
_GATEWAY = "i2c"
_STATUS = {EACCES: 403, EAGAIN: 503}  # of an errno, if it is not 409


class Buses:
    """Args: names: of the buses that may be used; host: Host."""

    def __init__(self, names, host):
        self._names = names
        self._host = host
        self._places = Places(MAX_CALLS, "calls of buses")

    def routes(self):
        """Returns the routes, each with the role that it needs."""
        return [
            Route("GET", "/api/i2c", VIEW, self.listed),
            Route("POST", "/api/i2c/{bus}/scan", SEND, self.scan),
            Route("POST", "/api/i2c/{bus}/transfer", SEND, self.transfer),
        ]

    async def check(self):
        """Raises: SettingsError: the setting names a bus that the section [i2c] has not."""
        fault = unknown_bus(self._names, await self._known())
        if fault:
            raise SettingsError(fault)

    async def listed(self, request, user):
        """GET /api/i2c: the buses, their addresses, and the clients that have them."""
        known = await self._known()
        return {"buses": [_shown(name, known[name]) for name in self._names]}

    async def scan(self, request, user):
        """POST /api/i2c/BUS/scan: look which allowed addresses answer, by what harms least, as `pb-link i2c detect`."""
        name = self._named(request)
        self._host.log("web_bus_used", user=user.name, bus=name, what="scan")
        allowed = (await self._known())[name]["addresses"]
        kinds = {NO_ANSWER: [], IN_USE: [], UNKNOWN: [], None: []}
        answer = {"found": [], "in_use": kinds[IN_USE], "unknown": kinds[UNKNOWN], "refused": kinds[None]}
        with self._places.taken(), _Told():
            try:
                async with asyncio.timeout(SCAN_S):
                    bus = await self._opened(name)
                    for address in allowed:
                        kinds.get(await cell(bus, address), answer["found"]).append(address)
            except TimeoutError:
                raise Failure(503, f"the scan has taken longer than {SCAN_S:g} s: is the bus, or the way to it, held?")
        return answer

    async def transfer(self, request, user):
        """POST /api/i2c/BUS/transfer: {"address", "write", "read"}: one transfer. Returns what was read."""
        name = self._named(request)
        body = await body_of(request, {"address": int, "write": str, "read": int}, optional=("write", "read"))
        messages = _messages(body["address"], body.get("write", ""), body.get("read", 0))
        what = "write" if body.get("write") else "read"
        self._host.log("web_bus_used", user=user.name, bus=name, what=what, address=f"{body['address']:#04x}")
        with self._places.taken(), _Told():
            answers = await (await self._opened(name)).transfer(messages)
        return {"read": b"".join(answers).hex()}

    async def _known(self):
        """Returns {name: {"bus": text, "addresses": list}} of the section [i2c]."""
        if not self._names:
            return {}
        return (await self._host.ask_gateway(_GATEWAY, {"what": "buses"}))["buses"]

    def _named(self, request):
        name = request.path_params["bus"]
        if name not in self._names:
            raise Failure(404, "there is no such bus here: the setting i2c of [web] names those that may be used")
        return name

    async def _opened(self, name):
        bus = AskedBus(name, lambda request: self._host.ask_gateway(_GATEWAY, request))
        await bus.open()
        return bus


class _Told:
    """What a bus raises in this block is a Failure."""

    def __enter__(self):
        pass

    def __exit__(self, kind, error, traceback):
        if isinstance(error, BusError):
            number = error.errno
            text = str(error).removeprefix(f"[Errno {number}] ")
            headers = {"Retry-After": "1"} if number == EAGAIN else None
            raise Failure(_STATUS.get(number, 409), f"{errorcode.get(number, number)}: {text}", headers)
        if isinstance(error, (ValueError, TypeError)):
            raise Failure(422, str(error))


def _messages(address, digits, size):
    """Returns the messages of a transfer. Raises: Failure."""
    try:
        data = unhexlify(digits)
        messages = [write(address, data)] if data else []
        if size:
            messages.append(read(address, size))
        if not messages:
            raise ValueError("give write, bytes in hexadecimal digits, or read, a number of bytes, or both")
        check(messages)
    except (TypeError, ValueError) as error:
        raise Failure(422, str(error))
    return messages


def _shown(name, bus):
    client = client_of(bus["bus"]) if bus["bus"].startswith(CLIENT) else None
    return {"name": name, "client": client, "addresses": bus["addresses"]}
