"""The buses of the section [i2c], for programs elsewhere. All doors share them, and so do the commands of pb-link.

A bus that cannot be opened, or whose adapter has gone, is tried again: it may be plugged in later. Meanwhile its calls
fail with ENODEV.
A command may also name a bus of a client that the settings do not name: client:ID:BUS. Who reaches the admin socket is
the server's user; which addresses there are the client says itself.
"""

import asyncio
from errno import EINVAL, ENODEV

from remote_i2c.addresses import parse_addresses
from remote_i2c.asked import answer_to
from remote_i2c.errors import CALLER, BusError
from remote_i2c.messages import HIGHEST_ADDRESS
from remote_i2c.providers import CLIENT, client_of, make_bus, same_bus
from remote_i2c.sharing import Sharing
from server.core.shown import quoted
from server.gateways import interface
from server.gateways.i2c.doors import doors
from server.gateways.setting import SettingsError

# How often it is looked whether a bus is open.
AGAIN_S = 5.0
# Open files of a door, at most: its limits of connections (remote_i2c/rpc/door.py, remote_i2c/web/door.py).
_FILES = 160


class Gateway(interface.Gateway):
    """Raises: SettingsError, OSError: a bus or a door cannot be made."""

    def __init__(self, settings, host):
        super().__init__(settings, host)
        self._sharing = Sharing(lambda spec, name: make_bus(spec, name, host.registry.get))
        self.buses = shared_buses(settings, self._sharing)
        self._doors = doors(settings, host.secrets, self.buses, host.log)

    @classmethod
    async def validate(cls, settings, secrets):
        """Open and close the buses that this computer has, and make the doors."""
        buses = shared_buses(settings, Sharing(lambda spec, name: make_bus(spec, name, _Absent)))
        doors(settings, secrets, buses, lambda event, **details: None)
        for bus in buses.values():
            try:
                await bus.open()
            except BusError as error:
                return str(error)
            await bus.close()

    async def run(self):
        """Run until cancelled."""
        self.host.more_files(_FILES * len(self._doors))
        tasks = [asyncio.create_task(self._keep_open(bus)) for bus in self.buses.values()]
        tasks += [asyncio.create_task(door.run()) for door in self._doors]
        try:
            await asyncio.gather(*tasks, asyncio.get_running_loop().create_future())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)  # a door says goodbye to who is in it
            await asyncio.gather(*[bus.close() for bus in self.buses.values()])

    async def _keep_open(self, bus):
        """Open a bus, also when its adapter has gone, and tell when it cannot be used, and when it can again."""
        told = False
        while True:
            try:
                await bus.open()
                if told:
                    self.host.log("i2c_bus_usable", bus=bus.name)
                told = False
            except BusError as error:
                if not told:
                    self.host.log("i2c_bus_unusable", bus=bus.name, reason=str(error))
                told = True
            await asyncio.sleep(AGAIN_S)

    async def ask(self, request):
        """As interface.Gateway.ask: see remote_i2c/asked.py. {"what": "buses"} asks for those that the settings name:
        {"buses": {name: {"bus": its text, "addresses": list}}}."""
        if request.get("what") == "buses":
            specs = {name: table.bus for name, table in self.settings.buses.items()}
            return {
                "buses": {
                    name: {"bus": specs[name], "addresses": sorted(bus.addresses)} for name, bus in self.buses.items()
                }
            }
        return await answer_to(self._bus, request)

    def _bus(self, name):
        """Returns the SharedBus of a name, or of client:ID:BUS. Raises: BusError: there is none."""
        if name in self.buses:
            return self.buses[name]
        if not str(name).startswith(CLIENT):
            there = ", ".join(self.buses) or "none: its settings have no section [i2c]"
            raise BusError(ENODEV, f"the server has no bus {name}, but {there}", place=CALLER)
        try:
            return self._of_client(name)
        except ValueError as error:
            raise BusError(EINVAL, str(error), place=CALLER)

    def _of_client(self, spec):
        named = self._sharing.first(spec)
        if named is not None:  # its list of addresses counts
            return named
        client_id = client_of(spec)
        if client_id not in self.host.served():
            text = f"the server knows no client {client_id!r}: pb-link keys add {quoted(client_id)} makes it known"
            raise BusError(ENODEV, text, place=CALLER)
        return self._sharing.bus(spec, same_bus(spec), range(HIGHEST_ADDRESS + 1))

    def metrics(self):
        """Returns the counts of calls, and what the doors count."""
        buses = self.buses.values()
        longest_s = max((bus.longest_hold_s for bus in buses), default=0.0)
        found = [
            (name, "counter", help, sum(getattr(bus, count) for bus in buses))
            for name, help, count in (
                ("i2c_calls_total", "Calls of all buses", "calls"),
                ("i2c_failures_total", "Calls that ended with an error", "failures"),
                ("i2c_late_total", "Calls that ended because their time, or that of their caller, was over", "late"),
            )
        ]
        found.append(("i2c_longest_hold_seconds", "gauge", "The longest time that one caller has had a bus", longest_s))
        return found + [("i2c_" + name, *more) for door in self._doors for name, *more in door.metrics()]


def shared_buses(settings, sharing):
    """Returns {name: SharedBus}, which are not open. Raises: SettingsError."""
    made = {}
    for name, table in settings.buses.items():
        limits = {"hold_ms": table.hold_ms, "wait_ms": table.wait_ms, "timeout_ms": table.timeout_ms}
        try:
            made[name] = sharing.bus(table.bus, name, parse_addresses(table.addresses), **limits)
        except ValueError as error:
            raise SettingsError(f"[i2c.buses.{name}]: {error}")
    return made


class _Absent:
    """The Connection of a client when no server runs."""

    lives = 0

    def __init__(self, client_id):
        self.client_id = client_id

    def channel(self, number, start):
        return None
