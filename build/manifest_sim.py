# The bridge as the simulator runs it: the firmware's manifest, and asyncio, which the ESP8266's own firmware brings.
# The chip's modules are not Python here either: sim/boards/esp8266_c.
include("manifest.py")
include("$(MPY_DIR)/extmod/asyncio")
