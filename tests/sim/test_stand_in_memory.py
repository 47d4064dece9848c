"""What the ESP8266's stand-ins take of the bridge's heap: on the chip they are in ROM."""

import subprocess

LIMIT_BYTES = 2200

PROGRAM = """
import gc, sys
sys.path[:] = [".frozen/esp8266", ".frozen"]
gc.collect()
before = gc.mem_free()
import simboot
simboot.start(1, "esp8266")
import machine, network, esp, socket, select, time
gc.collect()
print(before - gc.mem_free())
"""


def test_the_stand_ins_are_small(micropython_bridge, report_line):
    command = [micropython_bridge, "-X", "heapsize=38k", "-c", PROGRAM]
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    taken = int(result.stdout)
    report_line(f"stand-ins of the ESP8266: {taken} bytes of the bridge's heap (limit {LIMIT_BYTES})")
    assert taken <= LIMIT_BYTES
