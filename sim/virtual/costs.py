"""Virtual time that actions cost. The numbers are placeholders, not measured on silicon (docs/hardware.md)."""

from collections import namedtuple

# boot_s: from reset to Python on the ESP8266; client_boot_s: on the client; assoc_s: to join Wi-Fi; connect_s: to open
# a TCP connection; delay_s: one way through the network; i2c_setup_us: before each I2C transaction; irq_us: from an
# interrupt to its soft callback; sha256_us: a SHA-256 block of 64 bytes; switch_us: an asyncio task switch.
# The bridge's CPU takes `slower` times as long as the client's. The server's costs nothing.
Costs = namedtuple(
    "Costs", "boot_s client_boot_s assoc_s connect_s delay_s i2c_setup_us irq_us sha256_us switch_us slower"
)

PLACEHOLDERS = Costs(1.0, 0.3, 2.0, 0.010, 0.002, 300, 100, 50, 20, 3)

# Everything but the wire is free, except a task switch: otherwise a task that polls would stop the time.
# Boot and association still take their time: they are not computing.
ZERO = PLACEHOLDERS._replace(connect_s=0.0, delay_s=0.0, i2c_setup_us=0, irq_us=0, sha256_us=0, switch_us=1)

MODELS = {"placeholders": PLACEHOLDERS, "zero": ZERO}
