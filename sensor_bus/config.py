"""The configuration of a bus: a dict with the names of Raft's (seed), each with its default and its check.

    name                    default   meaning
    busScanPeriodMs         20000     how long the slow scan takes for all addresses
    scanBoost               []        addresses (0x.., as text or int) that are scanned first
    loopYieldMs             5         longest pause of the worker
    fastScanMaxUnyieldMs    10        the scan's share of one loop of the worker, in the fast modes
    slowScanMaxUnyieldMs    2         the same, in the slow one
    identEnable             true      find out the type of what is found
    lowLoad                 false     3 raw requests may wait instead of 40
    lockupDetect            none      address of a device that must be there: the bus fails while it is not
    mux                     {}        enable false, minAddr 0x70, maxAddr 0x77, rstPin -1, clearCascadeMux false
    ioExps                  {}        exps: [{addr, muxAddr, muxChanIdx, vPinBase, numPins}], of type PCA9535
    pwr                     {}        slotGroups: [{startSlotNum, numSlots, defaultLevelIdx,
                                      levelsExclOff: [{vPins, on}]}]

What stands behind a multiplexer is closed whenever that is found, so clearCascadeMux changes nothing here.

The defaults are the seed's; the code that it describes has others (busScanPeriodMs 5, mux enabled). Items that are of
another layer there (name, sdaPin, sclPin, i2cPort, i2cFreq, i2cFilter, taskCore, taskPriority, taskStack) are refused:
the I2C object that the bus gets has them already.
"""

from sensor_bus.loading import forget, half_loaded


class Config:
    """Args: items: dict or None. Raises: ValueError, which names the item."""

    scan_period_ms = 20000
    boost = ()
    yield_ms = 5
    fast_ms = 10
    slow_ms = 2
    identify = True
    low_load = False
    lockup = None
    mux_enabled = False
    mux_first = 0x70
    mux_last = 0x77
    mux_reset = False
    expanders = ()  # (address with its slot, first virtual pin, count of pins)
    groups = ()  # (first slot, last slot, [(virtual pin, level that is on)])

    def __init__(self, items=None):
        if items:
            try:
                from sensor_bus.config_items import read
            except MemoryError:
                half_loaded("config_items")
                raise
            read(items, self)
            forget("config_items")
