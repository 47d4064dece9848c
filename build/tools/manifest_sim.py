# The bridge as the simulator runs it: the classic firmware's manifest. The chip's modules are not Python here either:
# sim/mpy/boards/esp8266_c.
include("../manifest.py")
