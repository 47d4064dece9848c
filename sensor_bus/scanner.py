"""The scan at work: it probes what the plan (scan.py) says, within its budgets, and tells the bus what has answered.

While devices are polled, the scan may have 1 / SCAN_SHARE of the time; what it does not use is saved, up to
SCAN_SAVED_US. An address that has answered once, and a device that has failed once, are probed again before all others.
slot_scanner.py is the one of a bus with multiplexers or power switches.
"""

from protocol import const
from sensor_bus.clock import PER_MS
from sensor_bus.faults import BusStuck
from sensor_bus.scan import SLOW, ScanPlan

SCAN_SHARE = const(10)
SCAN_SAVED_US = const(2000)
AGAIN_MS = const(20)
_SKIPS = const(128)  # addresses that are passed over in one step, without a transaction


class Scanner:
    """Args: bus: SensorBus; access: Access; lists: catalog.scan_lists."""

    addresses = b""  # of multiplexers

    def __init__(self, bus, access, lists):
        config = bus.config
        self.plan = ScanPlan(lists, self.addresses, config.scan_period_ms)
        self.access = access
        self.bus = bus
        self.waiting = {}  # address -> when to probe it again
        self._slow, self._fast = config.slow_ms * PER_MS, config.fast_ms * PER_MS
        self._credit_us = 0
        self._credited = bus.now()

    def again(self, address, ms=AGAIN_MS):
        """Have an address probed soon."""
        self.waiting[address] = self.bus.now() + ms * PER_MS

    def forget(self, address):
        """Nothing is at this address any longer."""
        self.waiting.pop(address, None)

    async def step(self):
        """Probe as many addresses as the budget allows. Ends when a poll is due, or the bus is stuck."""
        bus = self.bus
        now = bus.now()
        polled = any([device.due is not None for device in bus.all()])
        self._credit_us += (now - self._credited) * (100 // SCAN_SHARE)
        self._credit_us = min(self._credit_us, SCAN_SAVED_US)
        self._credited = now
        end = now + (self._slow if self.plan.mode == SLOW else self._fast)
        for _ in range(_SKIPS):
            if now >= end or polled and (self._credit_us <= 0 or bus.next_poll(now) is not None):
                return
            address = self._next(now)
            if address is None:
                return
            if self.is_to_be_probed(address, now):
                spent_us = self.access.spent_us
                try:
                    answered = await self.access.probe(address)
                except BusStuck:
                    return
                except OSError:
                    answered = False
                self._credit_us -= self.access.spent_us - spent_us
                await self.note(address, answered)
            else:
                self.waiting.pop(address, None)
            now = bus.now()

    def _next(self, now):
        for address, when in self.waiting.items():
            if now >= when:
                return address
        found = self.plan.next(now)
        return None if found is None else found[0] | found[1] << 8

    def is_to_be_probed(self, address, now):
        device = self.bus.at(address)
        return not self.bus.is_barred(address, now) and (device is None or not device.busy)

    async def note(self, address, answered):
        """Note what a probe has told."""
        device = self.bus.at(address)
        self.waiting.pop(address, None)
        if device is not None:
            self.bus.note(device, answered)
        elif answered and self.bus.admit(address):
            self.again(address)
