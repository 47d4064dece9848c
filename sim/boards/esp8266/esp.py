"""`esp` of the ESP8266: what is set here has no effect in the simulator."""

SLEEP_NONE = 0
SLEEP_LIGHT = 1
SLEEP_MODEM = 2


def sleep_type(kind=None):
    return SLEEP_NONE


def osdebug(level):
    pass
