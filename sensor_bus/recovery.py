"""Frees a bus that is stuck: by clocks, then by closing all slots, then by power. A board loads this for that, and
forgets it."""

from primitives.platform import sleep_ms
from protocol import const
from sensor_bus.clock import PER_MS
from sensor_bus.lines import clear

# Recoveries that are tried one after the other. With the last one failed, the bus stays stuck, until it is free.
_ATTEMPTS = const(5)
# After a recovery that has failed, the next one begins after this time.
_STUCK_AGAIN_MS = const(500)
# Without access to the wires so many probes are clocks.
_CLOCK_PROBES = const(3)
_NOBODY = const(0x77)  # an address to probe, only for its clocks


async def recover(bus, access, subscribers, failed):
    """The bus is stuck: free it. If that fails, what may hold it is switched off and on, and its devices are gone.

    Args: bus: SensorBus; access: Access; subscribers: Subscribers; failed: the recovery before this one has. Returns
    when it is to be tried again, 100 us; None: the bus is free."""
    now, slot = bus.now(), access.slot
    for device in bus.all():
        if device.check is not None:
            device.check = 0  # a write that was cut off may have set a register of it
    if await _freed(access):
        if failed:
            subscribers.tell("freed", None, None)
            bus.rescan()
        return None
    if access.power is not None:
        access.power_cycle(now)
    if not failed:
        subscribers.tell("stuck", None, None)
    for device in list(bus.all()):
        if device.address >> 8 == slot or not slot:
            bus.gone(device)
    return bus.now() + _STUCK_AGAIN_MS * PER_MS


async def _freed(access):
    """Free the bus. Returns whether it is free. Args: access: Access.

    A step holds the loop for no longer than 24 clocks of 10 us, or one transaction."""
    muxes = access.muxes
    for _ in range(_ATTEMPTS):
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
        clear(access.port)
        await sleep_ms(0)
        return access.is_free()
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
    return access.is_free() if access.lines is not None else access.timeouts == 0
