# What the simulated ESP8266 has frozen when it starts from the images in firmware/: the parts of the official firmware
# that take part in it. No bridge.
include("$(MPY_DIR)/extmod/asyncio")
for name in ("_boot.py", "flashbdev.py", "inisetup.py"):
    module(name, base_path="$(MPY_DIR)/ports/esp8266/modules", opt=3)
