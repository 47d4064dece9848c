"""Frees a bus that is stuck: by clocks, then by closing all slots, then by power. Loaded when it is stuck first."""

from primitives.platform import sleep_ms
from protocol import const
from sensor_bus.clock import PER_MS

# Recoveries that are tried one after the other. With the last one failed, the bus stays stuck, until it is free.
ATTEMPTS = const(5)
# After a recovery that has failed, the next one begins after this time.
STUCK_AGAIN_MS = const(500)
# Without access to the wires so many probes are clocks.
_CLOCK_PROBES = const(3)
_NOBODY = const(0x77)  # an address to probe, only for its clocks


class Recovery:
    """Args: bus: SensorBus; access: Access; subscribers: Subscribers."""

    def __init__(self, bus, access, subscribers):
        self._bus = bus
        self._access = access
        self._subscribers = subscribers
        self._again = 0  # when the next one begins
        self._failed = False  # the last one

    async def serve(self):
        """The bus is stuck: free it, if it is time. If that fails, what may hold it is switched off and on, and its
        devices are gone."""
        bus, access = self._bus, self._access
        now = bus.now()
        if now < self._again:
            return
        slot = access.slot
        if await recover(access):
            if self._failed:
                self._failed = False
                self._subscribers.tell("freed", None, None)
                bus.rescan()
            return
        self._again = bus.now() + STUCK_AGAIN_MS * PER_MS
        if access.power is not None:
            access.power_cycle(now)
        if not self._failed:
            self._failed = True
            self._subscribers.tell("stuck", None, None)
        for device in list(bus.all()):
            if device.address >> 8 == slot or not slot:
                bus.gone(device)


async def recover(access):
    """Free the bus. Returns whether it is free. Args: access: Access.

    A step holds the loop for no longer than 24 clocks of 10 us, or one transaction."""
    muxes = access.muxes
    for _ in range(ATTEMPTS):
        if await _clear(access):
            break
        if muxes is None:
            continue
        if access.reset is None:
            await _close_by_hand(access)
        else:
            access.reset()
            await sleep_ms(0)
        if _is_free(access):
            if access.slot:
                access.shut_slot()
            break
    access.stuck = not _is_free(access)
    if muxes is not None:
        muxes.forget()
    return not access.stuck


async def _clear(access):
    if access.lines is not None:
        freed = access.lines.clear()
        await sleep_ms(0)
        return freed
    access.stuck = False
    for _ in range(_CLOCK_PROBES):
        try:
            access.port.probe(_NOBODY)
            access.timeouts = 0
            return True
        except OSError:
            await sleep_ms(0)
    access.stuck = True
    return False


async def _close_by_hand(access):
    """Write 0 to the multiplexers on the main bus, whatever their answers are."""
    for address in access.muxes.on_main_bus():
        try:
            access.port.transfer(address, b"\x00")
        except OSError:
            pass  # the bus is stuck: whether it helped is seen on the wires
        await sleep_ms(0)


def _is_free(access):
    return access.lines.free() if access.lines is not None else access.timeouts == 0
