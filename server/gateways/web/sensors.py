"""The sensors of clients as the page shows them: the newest reading of each device, followed while somebody looks on.

What is shown is `Sensors.latest` (server/core/sensors.py), which keeps a bounded number of devices; nothing is kept
here. It knows nothing of HTTP.
"""

import asyncio
import math

from protocol.errors import LinkError
from sensor_bus.decode import shown
from sensor_bus.publish import ONLINE
from server.core.sensor_listing import devices_of
from server.gateways.web.views import View

# A client's sensors: it is not connected to this server; it is being asked for its devices; it has no sensor bus, or
# does not say so; no device is on its bus; there are some.
AWAY, ASKING, NONE, EMPTY, THERE = STATES = ("away", "asking", "none", "empty", "there")
ASK_S = 10.0  # between questions which devices there are, while somebody looks on
AGAIN_S = 5.0  # after the store has failed
MAX_TYPES = 64  # whose names of values are known


class SensorFollows:
    """The clients whose sensors are looked at. Args: connection_of: function (id) that returns a Connection."""

    def __init__(self, connection_of):
        self._connection_of = connection_of
        self._followed = {}  # id -> Followed

    def begin(self, client_id):
        """Returns the Followed of a client, which another viewer may have. `end` follows."""
        found = self._followed.get(client_id)
        if found is None:
            found = self._followed[client_id] = Followed(self._connection_of(client_id))
            found.begin()
        found.viewers += 1
        return found

    def end(self, client_id):
        """A viewer has gone."""
        found = self._followed[client_id]
        found.viewers -= 1
        if not found.viewers:
            del self._followed[client_id]
            found.end()

    async def now(self, client_id):
        """Returns (state, rows) of a client that is asked now which devices it has."""
        found = self._followed.get(client_id) or Followed(self._connection_of(client_id))
        await found.ask()
        return found.state(), found.rows_since({})


class Followed:
    """The sensors of one client, for as many viewers as there are.

    While it is followed it is a reader of the client's samples that is not lossless: where no other reads them, they
    leave the store. Args: connection: Connection of the client."""

    def __init__(self, connection):
        self.viewers = 0
        self._connection = connection
        self._sensors = connection.sensors()
        self._listed = None  # {device id: type or None} as the client says; None: it does not say
        self._before = {}  # device id -> its newest Reading when the client was asked
        self._asked = False
        self._names = {}  # type -> names of its values that are for people
        self._tasks = []

    def begin(self):
        """Read and ask from now on."""
        self._tasks = [asyncio.create_task(one) for one in (self._read(), self._keep_asking())]

    def end(self):
        """Read and ask no longer."""
        for task in self._tasks:
            task.cancel()

    async def ask(self):
        """Ask the client which devices it has."""
        before = dict(self._sensors.latest)
        self._listed = await devices_of(self._connection)
        self._before = before
        self._asked = True

    def state(self):
        """Returns one of STATES."""
        if not self._connection.connected_here():
            return AWAY
        if self._listed is None and not self._sensors.latest:
            return NONE if self._asked else ASKING
        return THERE if self.present() else EMPTY

    def present(self):
        """Returns {device id: its newest Reading, or its type (str or None) if none has come}.

        A device that the client has not listed is there if it has sent since: a Reading from before may be of one that
        was unplugged while nobody looked on."""
        found = dict(self._listed or {})
        for device, reading in self._sensors.latest.items():
            if self._listed is None or device in found or self._before.get(device) is not reading:
                found[device] = reading
        return found

    def rows_since(self, seen):
        """Returns the rows (dicts) of the devices that are not as in `seen`, which is what `present` returned."""
        return [self._row(device, one) for device, one in self.present().items() if seen.get(device, self) != one]

    def _row(self, device, one):
        if one is None or isinstance(one, str):
            return {"device": device, "type": one, "at": None, "online": True, "values": [], "raw": ""}
        values = [
            {"name": name, "value": _number(one.values.get(name)), "unit": one.units.get(name, ""),
             "valid": name not in one.invalid}
            for name in self._shown(one)
        ]  # fmt: skip
        return {
            "device": device, "type": one.type, "at": round(one.time, 3), "online": one.status == ONLINE,
            "values": values, "raw": one.raw.hex(),
        }  # fmt: skip

    def _shown(self, reading):
        """Returns the names of the values that are for people; they are looked up once for each type."""
        if not reading.values:
            return ()
        names = self._names.get(reading.type)
        if names is None:
            info = self._sensors.info(reading.type)
            if len(self._names) == MAX_TYPES:
                self._names.clear()
            names = self._names[reading.type] = shown(info) if info else list(reading.values)
        return names

    async def _read(self):
        while True:
            readings = self._sensors.readings(lossless=False)
            try:
                async for _ in readings:
                    pass  # it is in `latest`
            except (LinkError, ValueError):  # the store's own events tell; or the application makes requests there
                pass
            finally:
                readings.close()
            await asyncio.sleep(AGAIN_S)

    async def _keep_asking(self):
        while True:
            await self.ask()
            await asyncio.sleep(ASK_S)


class SensorsView(View):
    """A client's sensors. Args: follows: SensorFollows; client_id."""

    def __init__(self, follows, client_id):
        self._follows = follows
        self._id = client_id
        self._followed = None
        self._seen = {}
        self._state = None

    def snapshot(self):
        """Returns the state, and the rows of all devices."""
        if self._followed is None:
            self._followed = self._follows.begin(self._id)
        found = {"state": self._followed.state(), "sensors": self._followed.rows_since({})}
        self._state, self._seen = found["state"], self._followed.present()
        return found

    def change(self):
        """Returns the rows of devices that have another reading, and the ids of those that are gone."""
        before, now, change = self._seen, self._followed.present(), {}
        rows = self._followed.rows_since(before)
        gone = [device for device in before if device not in now]
        state = self._followed.state()
        for name, value in (("sensors", rows), ("gone", gone), ("state", state if state != self._state else None)):
            if value:
                change[name] = value
        self._state, self._seen = state, now
        return change or None

    def close(self):
        if self._followed is not None:
            self._follows.end(self._id)


def _number(value):
    """Returns a value as JSON can have it: no number is null."""
    if isinstance(value, list):
        return [_number(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
