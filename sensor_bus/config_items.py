"""Reads the items of a configuration that are given (config.py). A board loads this for them, and forgets it."""

from sensor_bus.address import FIRST, LAST, MAX_SLOT, join, slot_of

MAX_PIN = 1015  # number of a virtual pin
_OTHERS = (
    "name", "type", "sdaPin", "sclPin", "i2cPort", "i2cFreq", "i2cFilter", "taskCore", "taskPriority", "taskStack",
)  # fmt: skip


def read(items, config):
    """Set the attributes of a Config that these items name. Args: items: dict. Raises: ValueError: names the item."""
    items = dict(items)
    for name in items:
        if name in _OTHERS:
            raise ValueError("%s: not an item of this bus: it belongs to the I2C object that the bus gets" % name)
    config.scan_period_ms = _take(items, "busScanPeriodMs", config.scan_period_ms, _number(100, 3600000))
    config.boost = _take(items, "scanBoost", (), _addresses)
    config.yield_ms = _take(items, "loopYieldMs", config.yield_ms, _number(1, 1000))
    config.fast_ms = _take(items, "fastScanMaxUnyieldMs", config.fast_ms, _number(1, 1000))
    config.slow_ms = _take(items, "slowScanMaxUnyieldMs", config.slow_ms, _number(1, 1000))
    config.identify = _take(items, "identEnable", config.identify, _boolean)
    config.low_load = _take(items, "lowLoad", config.low_load, _boolean)
    config.lockup = _take(items, "lockupDetect", config.lockup, _address)
    config.check_ms = _take(items, "identCheckMs", config.check_ms, _number(0, 3600000))
    mux = _take(items, "mux", {}, _object)
    config.mux_enabled = _take(mux, "mux.enable", config.mux_enabled, _boolean)
    config.mux_first = _take(mux, "mux.minAddr", config.mux_first, _address)
    config.mux_last = _take(mux, "mux.maxAddr", config.mux_last, _address)
    config.mux_reset = _take(mux, "mux.rstPin", -1, _pin) >= 0
    for pin in _take(mux, "mux.rstPins", (), _list):
        config.mux_reset |= _pin("mux.rstPins", pin) >= 0
    _take(mux, "mux.clearCascadeMux", False, _boolean)
    if not config.mux_first <= config.mux_last < config.mux_first + 8:
        raise ValueError("mux.maxAddr: must be minAddr or up to 7 more")
    _nothing_left(mux, "mux.")
    config.expanders = []
    config.groups = []
    io, power = _take(items, "ioExps", {}, _object), _take(items, "pwr", {}, _object)
    for one in _take(io, "ioExps.exps", [], _list):
        config.expanders.append(_expander(config, dict(_object("ioExps.exps", one))))
    _nothing_left(io, "ioExps.")
    levels = _take(power, "pwr.voltageLevels", None, _list)  # names for people, "off" in front
    for one in _take(power, "pwr.slotGroups", [], _list):
        _add_slots(config.groups, dict(_object("pwr.slotGroups", one)), levels)
    _nothing_left(power, "pwr.")
    slots = _take(items, "slotControl", {}, _object)
    config.serial = []
    for number, one in enumerate(_take(slots, "slotControl.slots", [], _list)):
        _add_serial(config, number + 1, dict(_object("slotControl.slots", one)))
    _nothing_left(slots, "slotControl.")
    _nothing_left(items, "")
    for name, pins in (
        ("pwr.slotGroups", [pin for group in config.groups for pin in group[1]]),
        ("slotControl.slots.serEnPin", [one[1:] for one in config.serial]),
    ):
        for pin in pins:
            if pin[0] >= 0 and not any([first <= pin[0] < first + count for _, first, count in config.expanders]):
                raise ValueError("%s: no expander of ioExps.exps has the virtual pin %d" % (name, pin[0]))


def _expander(config, item):
    """Returns (address with its slot, first virtual pin, count of pins)."""
    _take(item, "dev", "PCA9535", _one_of("PCA9535", "TCA9535"))
    address = _take(item, "ioExps.exps.addr", None, _address)
    mux = _take(item, "ioExps.exps.muxAddr", None, _address)
    channel = _take(item, "ioExps.exps.muxChanIdx", 0, _number(0, 7))
    config.mux_reset |= _take(item, "ioExps.exps.muxRstPin", -1, _pin) >= 0
    first = _take(item, "ioExps.exps.vPinBase", 0, _number(0, MAX_PIN - 15))
    count = _take(item, "ioExps.exps.numPins", 16, _number(1, 16))
    _nothing_left(item, "ioExps.exps.")
    if address is None:
        raise ValueError("ioExps.exps.addr: is missing")
    slot = 0
    if mux is not None:
        if not config.mux_enabled or not config.mux_first <= mux <= config.mux_last:
            raise ValueError("ioExps.exps.muxAddr: is no address of mux, or mux is not enabled")
        slot = slot_of(mux - config.mux_first, channel)
    return join(address, slot), first, count


def _add_slots(groups, item, names):
    """Add the slots of an item of pwr.slotGroups to Config.groups. Those that share a pin are one group there.

    Each level has one pin for each slot, in their order. A slot has power while the pin of its level is on, and those
    of its other levels are off. Args: names: pwr.voltageLevels, or None."""
    _take(item, "name", "", _text)
    first = _take(item, "pwr.slotGroups.startSlotNum", 0, _number(0, MAX_SLOT))
    count = _take(item, "pwr.slotGroups.numSlots", 1, _number(1, MAX_SLOT))
    levels = _take(item, "pwr.slotGroups.levelsExclOff", [], _list)
    index = _take(item, "pwr.slotGroups.defaultLevelIdx", 1, _number(0, 16))
    _nothing_left(item, "pwr.slotGroups.")
    if first + count - 1 > MAX_SLOT:
        raise ValueError("pwr.slotGroups.numSlots: the last slot is %d" % MAX_SLOT)
    if names is not None and len(levels) != len(names) - 1:
        raise ValueError("pwr.slotGroups.levelsExclOff: voltageLevels has %d levels beside off" % (len(names) - 1))
    if index > len(levels):
        raise ValueError("pwr.slotGroups.defaultLevelIdx: there are %d levels beside off" % len(levels))
    pins = [_pins(level, count) for level in levels]
    for slot in range(count):
        own = []
        for place, level in enumerate(pins):
            pin, on = level[slot]
            if pin >= 0:
                own.append((pin, on if place == index - 1 else 1 - on, 1 - on))
        if own:
            _add_slot(groups, first + slot, own)


def _add_serial(config, slot, item):
    """Add a slot that may be serial to Config.serial. Its UART is the program's."""
    pin = _take(item, "slotControl.slots.serEnPin", -1, _number(-1, MAX_PIN))
    level = _take(item, "slotControl.slots.serEnLevel", 0, _level)
    _take(item, "slotControl.slots.rxPin", -1, _pin)
    _take(item, "slotControl.slots.txPin", -1, _pin)
    mode = _take(item, "slotControl.slots.defaultMode", "i2c", _one_of("i2c", "serial-full", "serial-half"))
    _nothing_left(item, "slotControl.slots.")
    if slot > MAX_SLOT:
        raise ValueError("slotControl.slots: there are %d slots" % MAX_SLOT)
    serial = mode != "i2c"
    config.serial.append((slot if serial else 0, pin, level if serial else 1 - level))


def _pins(level, count):
    """Returns [(virtual pin, or -1: none, level that is on)] of the slots. Args: level: an item of levelsExclOff."""
    level = _object("pwr.slotGroups.levelsExclOff", level)
    pins = _take(level, "pwr.slotGroups.levelsExclOff.vPins", (), _list)
    on = _take(level, "pwr.slotGroups.levelsExclOff.on", (), _list)
    _nothing_left(level, "pwr.slotGroups.levelsExclOff.")
    if len(pins) != count or len(on) != count:
        raise ValueError("pwr.slotGroups.levelsExclOff: vPins and on must have one item for each of %d slots" % count)
    pins = [_number(-1, MAX_PIN)("pwr.slotGroups.levelsExclOff.vPins", pin) for pin in pins]
    return [(pin, _level("pwr.slotGroups.levelsExclOff.on", value)) for pin, value in zip(pins, on)]


def _add_slot(groups, slot, pins):
    """Args: pins: [(virtual pin, its level while the slot has power, its level while not)]."""
    slots = bytes((slot,))
    for group in list(groups):
        if slot in group[0]:
            raise ValueError("pwr.slotGroups: slot %d is in two groups" % slot)
        for pin in pins:
            for other in group[1]:
                if other[0] == pin[0] and other != pin:
                    raise ValueError("pwr.slotGroups: the virtual pin %d is to have two levels" % pin[0])
        if any([pin in group[1] for pin in pins]):
            groups.remove(group)
            slots = group[0] + slots
            pins = group[1] + [pin for pin in pins if pin not in group[1]]
    groups.append((slots, pins))


def _take(items, path, default, check):
    name = path[path.rfind(".") + 1 :]
    if name not in items:
        return default
    return check(path, items.pop(name))


def _nothing_left(items, prefix):
    for name in items:
        raise ValueError("%s%s: there is no such item" % (prefix, name))


def _number(lowest, highest):
    def check(path, found):
        if isinstance(found, bool) or not isinstance(found, int) or not lowest <= found <= highest:
            raise ValueError("%s: must be a whole number %d..%d, not %r" % (path, lowest, highest, found))
        return found

    return check


def _boolean(path, found):
    if found not in (True, False):
        raise ValueError("%s: must be true or false, not %r" % (path, found))
    return bool(found)


def _level(path, found):
    return _number(0, 1)(path, int(found) if isinstance(found, bool) else found)


def _pin(path, found):
    return _number(-1, 255)(path, found)


def _text(path, found):
    if not isinstance(found, str):
        raise ValueError("%s: must be a text, not %r" % (path, found))
    return found


def _one_of(*names):
    def check(path, found):
        if found not in names:
            raise ValueError("%s: must be one of %s, not %r" % (path, ", ".join(names), found))
        return found

    return check


def _list(path, found):
    if not isinstance(found, (list, tuple)):
        raise ValueError("%s: must be a list, not %r" % (path, found))
    return found


def _object(path, found):
    if not isinstance(found, dict):
        raise ValueError("%s: must be an object, not %r" % (path, found))
    return dict(found)


def _address(path, found):
    if isinstance(found, str):
        try:
            found = int(found, 16)
        except ValueError:
            pass
    if isinstance(found, bool) or not isinstance(found, int) or not FIRST <= found <= LAST:
        raise ValueError("%s: must be an address 0x%02x..0x%02x, not %r" % (path, FIRST, LAST, found))
    return found


def _addresses(path, found):
    return [_address(path, one) for one in _list(path, found)]
