"""What a program changes while the bus runs. Loaded for the first change."""

from sensor_bus.clock import PER_MS
from sensor_bus.loading import forget, half_loaded
from sensor_bus.ring import Ring
from sensor_bus.status import ONLINE


def configure(bus, device, interval_us, samples):
    """As SensorBus.configure has it. Args: device: Device."""
    if device.due is None:
        raise ValueError("the device at address %x is not polled" % device.address)
    if interval_us is not None:
        if not 1000 <= interval_us <= 3600000000:
            raise ValueError("interval_us must be 1000..3600000000")
        device.interval = interval_us // 100
        device.due = bus.now()  # the poll that runs is finished as it has begun
    if samples is not None:
        if not 1 <= samples <= 255:
            raise ValueError("samples must be 1..255")
        bus.subscribers.forget(device)
        device.ring = Ring(samples, device.ring.size())


def bar(bus, address, ms):
    """As SensorBus.bar has it."""
    if bus.bars is None:
        try:
            from sensor_bus.bars import Bars
        except MemoryError:
            half_loaded("bars")
            raise
        bus.bars = Bars()
    bus.bars.set(address, ms * PER_MS, bus.now())


def add_type(bus, record):
    """As SensorBus.add_type has it."""
    try:
        from sensor_bus.catalog import scan_lists
    except MemoryError:
        half_loaded("catalog")
        raise
    number = bus.records.add(record)
    bus.scanner.plan.set_lists(scan_lists(bus.records, bus.config.boost))
    forget("catalog")
    for device in bus.all():
        if device.type is None and device.status == ONLINE and not bus.is_mux(device.address):
            bus.identify(device)
    return number
