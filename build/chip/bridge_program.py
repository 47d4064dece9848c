"""A program for the emulated ESP8266: a bridge, which is esp_link.main itself, and its environment.

    ENVIRONMENT.romfs ROMFS|- BYTES-OF-HEAP bridge_program up|down|both|heap FRAME-BYTES FRAMES

The client's mailbox is on the bus, and the socket's other end takes and gives frames without a wait (bridge_world.py).
It is not counted, and has a heap of its own (lx106_c/border.c). Prints `name value` lines.
"""

import sys

import border

_MODE = sys.argv[1]


def start():
    """The device, as the chip's _boot.py leaves it, and its main.py. The bridge's modules come first: names that they
    share with the environment are on the device's heap, as on the chip."""
    import gc

    gc.threshold((gc.mem_free() + gc.mem_alloc()) // 4)
    gc.collect()
    border.outside(print_free)
    import esp_link.bridge
    import esp_link.tcp
    import esp_link.wifi  # noqa: F401

    border.outside(load_world)
    if _MODE != "heap":

        class Watched(esp_link.bridge.Bridge):
            def _serve(self):
                border.mark()
                again = super()._serve()
                border.mark()
                return again

        esp_link.bridge.Bridge = Watched
    import esp_link.main  # noqa: F401


def load_world():
    import bridge_world  # noqa: F401


def print_free():
    print("empty", border.free())


border.device(start)
