# The modules of the bridge, in MicroPython's manifest language: all that `import esp_link.main` reaches, and no more
# (tests/build/images/test_firmware.py looks). What is built of this list: the ROMFS image (firmware.py), the classic
# firmware (build/manifest.py) and the simulator's interpreter (build/tools/manifest_sim.py).
package("esp_link", base_path="../..")
package(
    "i2c_devices",
    ("__init__.py", "mailbox_controller.py", "memory_controller.py"),
    base_path="../..",
)
package("primitives", ("countdowns.py", "platform.py"), base_path="../..")
package(
    "protocol",
    ("__init__.py", "control.py", "framing.py", "mailbox.py", "selftest.py", "sequence.py", "version.py"),
    base_path="../..",
)
