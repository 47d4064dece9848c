# The bridge as the simulator runs it: the firmware's manifest, the stand-ins for the chip's modules, and asyncio,
# which the ESP8266's own firmware brings.
import os

include("manifest.py")
include("$(MPY_DIR)/extmod/asyncio")
if os.path.exists("../sim/boards/manifest.py"):
    include("../sim/boards/manifest.py")
