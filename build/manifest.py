# The classic firmware of the bridge, for those with the tool chain of the ESP8266: build/esp8266.py. In MicroPython's
# manifest language.
include("images/manifest_bridge.py")
include("$(MPY_DIR)/extmod/asyncio")

# The port freezes these of its own, and more: what makes the file system is ours here, the rest is left out.
module("_boot.py", base_path="images/on_chip", opt=3)
module("inisetup.py", base_path="images/on_chip", opt=3)
module("flashbdev.py", base_path="$(MPY_DIR)/ports/esp8266/modules", opt=3)
