"""The requests of Raft's device manager, `/api/devman/..`, for the sensors of one client. This module knows no HTTP.

A request is the path after `/api/devman/` and a dict of its arguments, both as text; an answer is a dict for JSON:
{"req": the request, .., "rslt": "ok"} or {"req": .., "rslt": "fail", "error": in words}. The paths and their arguments
are those of Raft 1.18 (docs/sensor-bus.md, "REST"), with these differences: `cmdraw` waits for the device also if it
only writes, its errors are told apart, its time-out is not cut to 20 ms, and `addr` is hexadecimal everywhere. A client
has one bus, whose name is its number.
"""

import json

from protocol.errors import LinkError
from server.core.sensors import COMMAND_MS, CommandFailed

# Longest time, in ms, that a caller may wait for an answer of the client.
MAX_TIMEOUT_MS = 10000
# What the client may take beyond the time that the device has.
ROUND_TRIP_MS = 5000
# Arguments of Sensors.command itself.
_NOT_OF_COMMANDS = ("self", "name", "answer_ms", "wait")


class Refused(Exception):
    """The request is not one that can be carried out. Its text says why."""


class DevMan:
    """Args: sensors: Sensors of the client."""

    def __init__(self, sensors):
        self._sensors = sensors
        self._paths = {
            "typeinfo": self._typeinfo,
            "cmdraw": self._cmdraw,
            "cmdjson": self._cmdjson,
            "devconfig": self._devconfig,
            "listdevs": self._listdevs,
            "busname": self._busname,
            "bar": self._bar,
            "pause": self._plain("pause"),
            "resume": self._plain("resume"),
            "rescan": self._plain("rescan"),
        }

    async def answer(self, path, arguments):
        """Returns the answer, a dict. Raises nothing but CancelledError. arguments: dict from str to str."""
        try:
            handler = self._paths.get(path)
            if handler is None:
                raise Refused(f"there is no {path!r}: there are {', '.join(sorted(self._paths))}")
            answer = {"req": path}
            answer.update(await handler(arguments))
            answer["rslt"] = "ok"
            return answer
        except CommandFailed as error:
            return {"req": path, "rslt": "fail", "error": error.code, "text": error.text}
        except (Refused, LinkError, ValueError) as error:
            return {"req": path, "rslt": "fail", "error": str(error)}
        except Exception as error:  # KeyError, TypeError: an answer of the client's of another form
            return {"req": path, "rslt": "fail", "error": f"the client's answer cannot be used: {error!r}"}

    async def _typeinfo(self, arguments):
        if "type" in arguments:
            name = arguments["type"]
            wanted = int(name) if name.isdigit() else name
        elif "deviceid" in arguments:
            wanted = await self._type(arguments["deviceid"])
            if wanted is None:
                raise Refused("the type of this device is not known")
        else:
            raise Refused("typeinfo needs type= or deviceid=")
        info = self._sensors.info(wanted)
        if info is None:
            found = await self._sensors.command("typeinfo", type=wanted)
            # A board has the names of its types, by their numbers, and no descriptions.
            info = found.get("info") or self._sensors.info(found.get("type"))
        if info is None:
            raise Refused(f"neither the server nor the client has the description of type {wanted!r}")
        return {"devinfo": info}

    async def _type(self, device):
        """Returns the name of a device's type, None: not known. The client is asked if no sample of it was read."""
        self._address({"deviceid": device})
        reading = self._sensors.latest.get(device)
        if reading is not None:
            return reading.type
        for found in (await self._listdevs({}))["devices"]:
            if found["deviceid"] == device:
                return found["type"]
        raise Refused(f"there is no device {device!r}")

    async def _cmdraw(self, arguments):
        timeout_ms = _number(arguments, "timeoutMs", 1, MAX_TIMEOUT_MS, 1000)
        write = arguments.get("hexWr", "")
        size = _number(arguments, "numToRd", 0, 240, 0)
        if not write and not size:
            raise Refused("cmdraw needs hexWr= or numToRd=")
        found = await self._sensors.command(
            "cmdraw", addr=self._address(arguments), write=write, read=size, timeout_ms=timeout_ms,
            answer_ms=timeout_ms + ROUND_TRIP_MS,
        )  # fmt: skip
        return {"rdData": found["data"]} if size else {}

    async def _cmdjson(self, arguments):
        """Any command of sensor_bus/commands.py: {"cmd": .., its arguments}; "device": "1_38" in place of "addr"."""
        try:
            body = json.loads(arguments.get("body", ""))
        except (ValueError, RuntimeError):  # RecursionError is one
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("cmd"), str):
            raise Refused('cmdjson needs body={"cmd": .., ..}, an object of JSON')
        name, device = body.pop("cmd"), body.pop("device", None)
        for key in _NOT_OF_COMMANDS:
            if key in body:
                raise Refused(f"a command has no argument {key!r}")
        if device is not None:
            body["addr"] = self._address({"deviceid": str(device)})
        timeout_ms = body.get("timeout_ms")
        answer_ms = COMMAND_MS
        if isinstance(timeout_ms, int) and 0 < timeout_ms <= MAX_TIMEOUT_MS:  # the client refuses any other
            answer_ms = timeout_ms + ROUND_TRIP_MS
        return {"result": await self._sensors.command(name, answer_ms=answer_ms, **body)}

    async def _devconfig(self, arguments):
        interval_us = _number(arguments, "intervalUs", 1000, 1 << 32, None)
        rate = arguments.get("sampleRateHz")
        if rate is not None:
            if interval_us is not None:
                raise Refused("give intervalUs or sampleRateHz, not both")
            try:
                interval_us = round(1e6 / float(rate))
            except (ValueError, ZeroDivisionError, OverflowError):
                raise Refused(f"sampleRateHz must be a number above 0, not {rate!r}")
        for name in ("busHz", "busHzSlots"):
            if name in arguments:
                raise Refused(f"{name} cannot be set here: a bus has one clock")
        samples = _number(arguments, "numSamples", 1, 255, None)
        if interval_us is None and samples is None:
            raise Refused("devconfig needs intervalUs=, sampleRateHz= or numSamples=")
        await self._sensors.command(
            "devconfig", addr=self._address(arguments), interval_us=interval_us, samples=samples
        )
        return {}

    async def _listdevs(self, arguments):
        found = await self._sensors.command("listdevs")
        bus = found["bus"]
        return {
            "devices": [
                {"deviceid": f"{bus}_{address:x}", "addr": f"{address:x}", "type": name, "status": status}
                for address, name, status in found["devs"]
            ]
        }

    async def _busname(self, arguments):
        wanted = _number(arguments, "busnum", 1, 15, None)
        if wanted is None:
            raise Refused("busname needs busnum=")
        bus = (await self._sensors.command("listdevs"))["bus"]
        if wanted != bus:
            raise Refused(f"there is no bus {wanted}: this client has bus {bus}")
        return {"busName": str(bus)}

    async def _bar(self, arguments):
        ms = _number(arguments, "ms", 0, 1 << 16, None)
        if ms is None:
            raise Refused("bar needs ms=, how long the device is to be left alone")
        await self._sensors.command("bar", addr=self._address(arguments), ms=ms)
        return {}

    def _address(self, arguments):
        """Returns the address with its slot, of deviceid=1_38, or of addr=38 and bus=1, which may be left out."""
        text, bus = arguments.get("addr"), arguments.get("bus")
        if "deviceid" in arguments:
            bus, line, text = arguments["deviceid"].partition("_")
            if not (line and bus.isdigit()):
                raise Refused(f"deviceid must be as 1_38, not {arguments['deviceid']!r}")
        if text is None:
            raise Refused("give deviceid= or addr=, in hexadecimal")
        known = {str(reading.bus) for reading in self._sensors.latest.values()}
        if bus is not None and known and bus not in known:
            raise Refused(f"there is no bus {bus!r}: this client has bus {', '.join(sorted(known))}")
        try:
            found = int(text, 16)
        except ValueError:
            raise Refused(f"the address must be hexadecimal, not {text!r}")
        if not 0x04 <= found & 0xFF <= 0x77 or not 0 <= found >> 8 <= 64:
            raise Refused(f"there is no address {text!r}: 4 to 77, with a slot of 0 to 40 in front")
        return found

    def _plain(self, name):
        async def handler(arguments):
            await self._sensors.command(name)
            return {}

        return handler


def _number(arguments, name, lowest, highest, default):
    text = arguments.get(name)
    if text is None:
        return default
    if not text.isdigit() or not lowest <= int(text) <= highest:
        raise Refused(f"{name} must be a number from {lowest} to {highest}, not {text!r}")
    return int(text)
