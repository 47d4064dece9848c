"""Wiring of the link's two boards, as in docs/hardware.md: the client is a Pyboard, the bridge an ESP8266."""

# net: client pin, ESP8266 GPIO, pull-up outside the chips. The net `rst` ends in the ESP8266's reset pin.
WIRING = {
    "scl": ("X9", "0", True),
    "sda": ("X10", "2", True),
    "syn": ("X11", "5", False),
    "ack": ("Y8", "4", False),
    "rst": ("X12", None, True),
}
