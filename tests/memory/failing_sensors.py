"""A program for MicroPython: each allocation of what a sensor bus loads when it is needed fails once.

    failing -c "import tests.memory.failing_sensors" TIMES

TIMES: every so many-th allocation fails. After each failure the same call is made again, and must succeed. Prints how
many calls failed.
"""

import sys

import allocations

from sensor_bus.bus import MachineI2C, Records, SensorBus

TIMES = int(sys.argv[1])
CONFIG = {
    "mux": {"enable": True},
    "ioExps": {"exps": [{"addr": "0x21", "vPinBase": 200}]},
    "pwr": {"slotGroups": [{"startSlotNum": 1, "levelsExclOff": [{"vPins": [203], "on": [1]}]}]},
}
RECORD = {
    "deviceType": "A", "addresses": "0x48", "detectionValues": "", "initValues": "",
    "pollInfo": {"c": "0x00=r2", "i": 1000, "s": 4},
}  # fmt: skip
SELDOM = (
    "bars", "catalog", "changes", "config_items", "errors", "events", "grammar", "lines", "loader", "power", "recovery",
    "requests", "slot_access", "slot_scanner", "slots",
)  # fmt: skip


class Pin:
    OPEN_DRAIN = 0


def plain():
    return SensorBus(MachineI2C(None), Records())


def full():
    return SensorBus(MachineI2C(None, scl=Pin, sda=Pin, make=Pin), Records(), CONFIG)


def events():
    plain().events().close()


def bar():
    plain().bar(0x38, 100)


def add_type():
    assert plain().add_type(RECORD) == 0


def forget():
    for name in SELDOM:
        if sys.modules.pop("sensor_bus." + name, None) and hasattr(sys.modules["sensor_bus"], name):
            delattr(sys.modules["sensor_bus"], name)


def fails(call, n):
    """Have the n-th allocation of call() fail. Returns None if it has fewer, else True if it raised MemoryError."""
    allocations.fail(n, 1)
    allocations.resume()
    try:
        call()
        found = False if allocations.failed() else None
    except MemoryError:
        found = True
    allocations.pause()
    allocations.fail(0, 0)
    return found


count = 0
for call in (plain, full, events, bar, add_type):
    call()  # what else it loads is loaded
    n = 1
    while True:
        forget()
        failed = fails(call, n)
        if failed is None:
            break
        count += 1 if failed else 0
        call()
        n += TIMES
    assert n > 20, (call, n)
print(count)
