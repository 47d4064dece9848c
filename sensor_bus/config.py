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
    mux                     {}        enable false, minAddr 0x70, maxAddr 0x77, rstPin -1, rstPins [],
                                      clearCascadeMux false
    ioExps                  {}        exps: [{addr, muxAddr, muxChanIdx, muxRstPin, vPinBase, numPins}]: PCA9535
    pwr                     {}        voltageLevels, slotGroups: [{startSlotNum, numSlots, defaultLevelIdx 1,
                                      levelsExclOff: [{vPins, on}]}]: of each level a pin for each slot, or -1: none

    slotControl             {}        slots: [{serEnPin, serEnLevel, rxPin, txPin, defaultMode "i2c"}] of the slots 1..
    identCheckMs            10000     how often the type of a polled device is looked at again; 0: never

What stands behind a multiplexer is closed whenever that is found, so clearCascadeMux changes nothing here. rstPin,
rstPins and muxRstPin say that there are such lines: the function `reset=` of SensorBus is what moves all of them. A
slot that is serial is left alone; the expander's pin that makes it so is set, and its UART is the program's.

The defaults are the seed's; the code that it describes has others (busScanPeriodMs 5, mux enabled). Items that are of
another layer there (name, sdaPin, sclPin, i2cPort, i2cFreq, i2cFilter, taskCore, taskPriority, taskStack) are refused:
the I2C object that the bus gets has them already.
"""

from sensor_bus.loading import forget, load


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
    check_ms = 10000
    serial = ()  # (slot that is serial, or 0; virtual pin, or -1; its level)
    expanders = ()  # (address with its slot, first virtual pin, count of pins)
    groups = ()  # (slots (bytes), [(virtual pin, its level while they have power, its level while not)])

    def __init__(self, items=None):
        if items:
            load("config_items").read(items, self)
            forget("config_items")
