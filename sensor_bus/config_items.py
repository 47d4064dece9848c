"""Reads the items of a configuration that are given (config.py). A board loads this for them, and forgets it."""

from sensor_bus.address import FIRST, LAST, MAX_SLOT, join, slot_of

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
    mux = _take(items, "mux", {}, _object)
    config.mux_enabled = _take(mux, "mux.enable", config.mux_enabled, _boolean)
    config.mux_first = _take(mux, "mux.minAddr", config.mux_first, _address)
    config.mux_last = _take(mux, "mux.maxAddr", config.mux_last, _address)
    config.mux_reset = _take(mux, "mux.rstPin", -1, _number(-1, 255)) >= 0
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
    _take(power, "pwr.voltageLevels", [], _list)  # names for people
    for one in _take(power, "pwr.slotGroups", [], _list):
        config.groups.append(_group(dict(_object("pwr.slotGroups", one))))
    _nothing_left(power, "pwr.")
    _nothing_left(items, "")
    for _, _, pins in config.groups:
        for pin, _ in pins:
            if not any(first <= pin < first + count for _, first, count in config.expanders):
                raise ValueError("pwr.slotGroups: no expander of ioExps.exps has the virtual pin %d" % pin)


def _expander(config, item):
    """Returns (address with its slot, first virtual pin, count of pins)."""
    _take(item, "dev", "PCA9535", _one_of("PCA9535", "TCA9535"))
    address = _take(item, "ioExps.exps.addr", None, _address)
    mux = _take(item, "ioExps.exps.muxAddr", None, _address)
    channel = _take(item, "ioExps.exps.muxChanIdx", 0, _number(0, 7))
    first = _take(item, "ioExps.exps.vPinBase", 0, _number(0, 1000))
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


def _group(item):
    """Returns (first slot, last slot, [(virtual pin, level that is on)])."""
    _take(item, "name", "", _text)
    first = _take(item, "pwr.slotGroups.startSlotNum", 0, _number(0, MAX_SLOT))
    count = _take(item, "pwr.slotGroups.numSlots", 1, _number(1, MAX_SLOT))
    index = _take(item, "pwr.slotGroups.defaultLevelIdx", 1, _number(1, 16))
    levels = _take(item, "pwr.slotGroups.levelsExclOff", [], _list)
    _nothing_left(item, "pwr.slotGroups.")
    if index > len(levels):
        raise ValueError("pwr.slotGroups.defaultLevelIdx: there are %d levels beside off" % len(levels))
    pins = []
    for place, level in enumerate(levels):
        level = _object("pwr.slotGroups.levelsExclOff", level)
        numbers, on = level.get("vPins", ()), level.get("on", ())
        if not numbers or len(numbers) != len(on) or any(not isinstance(pin, int) for pin in numbers):
            raise ValueError("pwr.slotGroups.levelsExclOff: vPins and on must be lists of one length")
        if place == index - 1:
            pins = [(pin, bool(value)) for pin, value in zip(numbers, on)]
    return first, first + count - 1, pins


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
