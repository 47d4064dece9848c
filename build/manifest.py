# What is frozen into the bridge's firmware, in MicroPython's manifest language. Only what the bridge uses: on the
# ESP8266 flash is as scarce as RAM. A folder is named here once it exists.
import os

for folder in ("protocol", "primitives", "i2c_devices", "esp_link"):
    if os.path.isdir("../" + folder):
        package(folder, base_path="..")
