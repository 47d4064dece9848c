"""What a program changes while the bus runs. Loaded for the first change."""

from sensor_bus.clock import PER_MS
from sensor_bus.loading import forget, load
from sensor_bus.ring import Ring
from sensor_bus.status import ONLINE


def configure(bus, device, interval_us, samples):
    """As SensorBus.configure has it. Args: device: Device."""
    if device.due is None:
        raise ValueError("the device at address %x is not polled" % device.address)
    if interval_us is not None:
        _check("interval_us", interval_us, 1000, 3600000000)
    if samples is not None:
        _check("samples", samples, 1, 255)
        ring = Ring(samples, len(device.ring.space()))  # without memory for it all is as before
        bus.subscribers.forget(device)
        device.ring = ring
    if interval_us is not None:
        device.interval = interval_us // 100
        device.due = bus.now()  # the poll that runs is finished as it has begun


def _check(name, value, lowest, highest):
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise ValueError("%s must be a whole number %d..%d, not %r" % (name, lowest, highest, value))


def bar(bus, address, ms):
    """As SensorBus.bar has it."""
    if bus.bars is None:
        bus.bars = load("bars").Bars()
    bus.bars.set(address, ms * PER_MS, bus.now())


def add_type(bus, record):
    """As SensorBus.add_type has it."""
    scan_lists = load("catalog").scan_lists  # without memory for it no type is added
    number = bus.records.add(record)
    bus.scanner.plan.set_lists(scan_lists(bus.records, bus.config.boost))
    forget("catalog")
    for device in bus.all():
        if device.type is None and device.status == ONLINE and not bus.is_mux(device.address):
            bus.identify(device)
    return number
