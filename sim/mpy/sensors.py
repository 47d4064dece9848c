"""Sensors on the buses of a virtual board of bed *mpy*, as a file of `--sensors` plans them."""

import asyncio

from sim.mpy.bed import CHUNK_BYTES, WiringError
from sim.wires.nets import Net
from sim.wires.sensors.bus import SensorBus
from sim.wires.sensors.plan import FIRST_BUS, populate
from sim.wires.sensors.world import SensorWorld

# Pins of the bus FIRST_BUS where the file names none: a Pyboard's I2C(2) and a Pico's I2C(1), and any on an ESP8266.
PINS = {
    "pyboard": {"scl": "Y9", "sda": "Y10", "reset": "Y11"},
    "rp2": {"scl": "GP7", "sda": "GP6", "reset": "GP8"},
    "esp8266": {"scl": "5", "sda": "4", "reset": "14"},
}


def attach(bed, board, plan, *, taken=(), log=None, types=None):
    """Wires the planned buses to a board that has no power yet. Time begins now; a loop must run.

    Args: taken: pins that have other wires; log(text): what happens by plan; types: of one's own,
    {name: class}. Returns {name of bus: SensorWorld}. Raises: ValueError.
    """
    loop = asyncio.get_running_loop()
    began, used, worlds = loop.time(), set(taken), {}
    for name, devices in plan.devices.items():
        pins = _pins(board, name, plan.buses.get(name, {}))
        if used & set(pins.values()) or len(set(pins.values())) < len(pins):
            raise WiringError(f"bus {name}: its pins are used twice: {', '.join(pins.values())}")
        used |= set(pins.values())
        nets = {end: bed.wire(Net(f"{name}.{end}", pull_up=True), (board, pin)) for end, pin in pins.items()}
        bus = SensorBus(nets["scl"], nets["sda"], CHUNK_BYTES)
        bed.buses[nets["scl"], nets["sda"]] = bus
        sensors = worlds[name] = SensorWorld(
            bus, lambda: loop.time() - began, lambda when, callback: loop.call_at(began + when, callback), types
        )
        if "reset" in nets:
            nets["reset"].listen(lambda net, sensors=sensors: sensors.hold_reset(net.level == 0))
        populate(sensors, devices, log)
    return worlds


def _pins(board, name, given):
    pins = {**(PINS[board.kind] if name == FIRST_BUS else {}), **given}
    for end in ("scl", "sda"):
        if end not in pins:
            raise WiringError(f"bus {name} has no pin {end}")
    for pin in pins.values():
        if pin not in board.pins:
            raise WiringError(f"bus {name}: a {board.model.name} has no pin {pin!r}")
    return pins
