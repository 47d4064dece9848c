"""The scan at work: it probes what the plan (scan.py) says, within its budgets, and tells the bus what has answered.

While devices are polled, the scan may have 1 / SCAN_SHARE of the time; what it does not use is saved, up to
SCAN_SAVED_US. An address that has answered once, and a device that has failed once, are probed again before all others.
"""

from protocol import const
from sensor_bus.clock import PER_MS
from sensor_bus.errors import BusStuck
from sensor_bus.scan import SLOW, ScanPlan
from sensor_bus.status import INITIAL, ONLINE

SCAN_SHARE = const(10)
SCAN_SAVED_US = const(2000)
AGAIN_MS = const(20)
# A multiplexer that was taken as gone while it may be open is asked for at this interval, until it answers.
LOST_AGAIN_MS = const(1000)
_SKIPS = const(128)  # addresses that are passed over in one step, without a transaction


class Scanner:
    """Args: bus: SensorBus; access: Access; muxes: Multiplexers or None; power: Power or None; addresses: bytes, those
    of multiplexers."""

    def __init__(self, bus, access, muxes, power, addresses):
        config = bus.config
        self.plan = ScanPlan(bus.records.scan_lists(config.boost), addresses, config.scan_period_ms)
        self._bus = bus
        self._access = access
        self._muxes = muxes
        self._power = power
        self._slow, self._fast = config.slow_ms * PER_MS, config.fast_ms * PER_MS
        self._again = {}  # address -> when to probe it again
        self._lost = []  # addresses of multiplexers that are asked for until they answer
        self._credit_us = 0
        self._credited = bus.now()

    def again(self, address):
        """Have an address probed soon."""
        self._again[address] = self._bus.now() + AGAIN_MS * PER_MS

    def watch(self, address):
        """Have a multiplexer that is gone probed again and again, until it answers."""
        if address not in self._lost:
            self._lost.append(address)
        self._again[address] = self._bus.now() + LOST_AGAIN_MS * PER_MS

    def restart(self):
        """There are other multiplexers than before: begin with the first mode of the scan."""
        exists = self._muxes.exists
        self._lost = [one for one in self._lost if exists(one >> 8)]
        self._again = {one: when for one, when in self._again.items() if exists(one >> 8)}
        self.plan.restart(self._muxes.slots())

    def forget(self, address):
        """Nothing is at this address any longer."""
        self._again.pop(address, None)

    async def step(self):
        """Probe as many addresses as the budget allows. Ends when a poll is due, or the bus is stuck."""
        bus = self._bus
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
            if self._is_to_be_probed(address, now):
                spent_us = self._access.spent_us
                try:
                    answered = await self._access.probe(address)
                except BusStuck:
                    return
                except OSError:
                    answered = False
                self._credit_us -= self._access.spent_us - spent_us
                await self._note(address, answered)
            else:
                self._again.pop(address, None)
            now = bus.now()

    def _next(self, now):
        for address, when in self._again.items():
            if now >= when:
                return address
        found = self.plan.next(now)
        return None if found is None else found[0] | found[1] << 8

    def _is_to_be_probed(self, address, now):
        bus = self._bus
        device = bus.at(address)
        if bus.is_barred(address, now) or device is not None and device.busy:
            return False
        if self._power is not None and (self._power.switches(address) or not self._power.usable(address >> 8)):
            return False
        slot, place, muxes = address >> 8, address & 0x7F, self._muxes
        if not slot:
            return True
        if place in muxes and muxes.parent(place) != slot:
            return False
        while slot:  # what stands further out answers here as well
            slot = muxes.outer(slot)
            device = bus.at(place | slot << 8)
            if device is not None and device.status.status == ONLINE:
                return False
        return True

    async def _note(self, address, answered):
        bus = self._bus
        device = bus.at(address)
        self._again.pop(address, None)
        if device is None:
            lost = address in self._lost
            if answered and bus.add(address):
                self.again(address)
                if lost:
                    self._lost.remove(address)
            elif lost:
                self.watch(address)
            return
        if answered and device.status.status == INITIAL and address >> 8 and await self.is_outside(address):
            bus.drop(address)
            return
        bus.note(device, answered)

    async def is_outside(self, address):
        """Returns whether a device that has answered in a slot stands in front of its multiplexer, mostly on the main
        bus: it answers with the slot closed too. It is looked for there soon. True also if that cannot be told now."""
        outside = address & 0x7F | self._muxes.outer(address >> 8) << 8
        try:
            if not await self._access.probe(outside):
                return False
            if self._bus.at(outside) is None and self._bus.add(outside):
                self.again(outside)
        except OSError:
            pass
        return True
