# What is frozen into the bridge's firmware, in MicroPython's manifest language. Only what the bridge uses: on the
# ESP8266 flash is as scarce as RAM. tests/build/test_manifest.py compares it with what esp_link/main.py imports.
for folder, modules in (
    ("protocol", ("control", "framing", "mailbox", "serial")),
    ("primitives", ("platform", "timeout")),
    ("i2c_devices", ("mailbox_controller", "memory_controller")),
    ("esp_link", ("bridge", "main", "tcp", "uplink", "wifi")),
):
    package(folder, tuple(name + ".py" for name in ("__init__",) + modules), base_path="..")
