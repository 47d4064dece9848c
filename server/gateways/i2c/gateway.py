"""The buses of the section [i2c], for programs elsewhere. All doors share them, and so do the commands of pb-link.

A bus that cannot be opened is tried again: an adapter may be plugged in later. Meanwhile its calls fail with ENODEV.
"""

import asyncio

from remote_i2c.addresses import parse_addresses
from remote_i2c.asked import answer_to
from remote_i2c.errors import BusError
from remote_i2c.providers import make_bus
from remote_i2c.shared import SharedBus
from server.gateways import interface
from server.gateways.i2c.doors import doors
from server.gateways.setting import SettingsError

# A bus that could not be opened is tried again after this.
AGAIN_S = 5.0
# Open files of a door, at most: its limits of connections (remote_i2c/rpc/door.py, remote_i2c/web/door.py).
_FILES = 160


class Gateway(interface.Gateway):
    """Raises: SettingsError, OSError: a bus or a door cannot be made."""

    def __init__(self, settings, host):
        super().__init__(settings, host)
        self.buses = shared_buses(settings, host.registry.get)
        self._doors = doors(settings, host.secrets, self.buses, host.log)

    @classmethod
    async def validate(cls, settings, secrets):
        """Open and close the buses that this computer has, and make the doors."""
        buses = shared_buses(settings, _Absent)
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
        tasks = [asyncio.create_task(self._opened(bus)) for bus in self.buses.values()]
        tasks += [asyncio.create_task(door.run()) for door in self._doors]
        try:
            await asyncio.gather(*tasks, asyncio.get_running_loop().create_future())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)  # a door says goodbye to who is in it
            await asyncio.gather(*[bus.close() for bus in self.buses.values()])

    async def _opened(self, bus):
        """Return when the bus is open."""
        told = False
        while True:
            try:
                await bus.open()
                return
            except BusError as error:
                if not told:
                    self.host.log("i2c_bus_unusable", bus=bus.name, reason=str(error))
                told = True
            await asyncio.sleep(AGAIN_S)

    async def ask(self, request):
        """As interface.Gateway.ask: see remote_i2c/asked.py."""
        return await answer_to(self.buses, request)

    def metrics(self):
        """Returns the counts of calls."""
        found = []
        for name, help, count in (
            ("i2c_calls_total", "Calls of all buses", "calls"),
            ("i2c_failures_total", "Calls that ended with an error", "failures"),
            ("i2c_late_total", "Calls that ended because their time, or that of their caller, was over", "late"),
        ):
            found.append((name, "counter", help, sum(getattr(bus, count) for bus in self.buses.values())))
        return found


def shared_buses(settings, connect):
    """Returns {name: SharedBus}, which are not open. connect: as in make_bus. Raises: SettingsError."""
    made = {}
    for name, table in settings.buses.items():
        try:
            bus = make_bus(table.bus, name, connect)
        except ValueError as error:
            raise SettingsError(f"[i2c.buses.{name}]: {error}")
        addresses = parse_addresses(table.addresses)
        made[name] = SharedBus(bus, addresses, hold_ms=table.hold_ms, wait_ms=table.wait_ms)
    return made


class _Absent:
    """The Connection of a client when no server runs."""

    lives = 0

    def __init__(self, client_id):
        self.client_id = client_id

    def channel(self, number, start):
        return None
