"""Virtual time that actions cost. Nothing of it was measured on silicon (docs/hardware.md).

Three models: `zero`; `placeholders`, which were guessed before anything was counted; `calculated`, from instructions
that were counted in the chips' own instruction sets, one a clock.
"""

from collections import namedtuple

# boot_s: from reset to Python on the ESP8266; client_boot_s: on the client; assoc_s: to join Wi-Fi; connect_s: to open
# a TCP connection; delay_s: one way through the network; i2c_setup_us: before each I2C transaction; irq_us: from an
# interrupt to its soft callback; sha256_us: a SHA-256 block of 64 bytes; switch_us: an asyncio task switch.
# bridge_sha256_us, bridge_switch_us: the same of the bridge, whose CPU is slower. clock_hz: of the bus, at most. The
# server's computing costs nothing.
Costs = namedtuple(
    "Costs",
    "boot_s client_boot_s assoc_s connect_s delay_s i2c_setup_us irq_us sha256_us switch_us "
    "bridge_sha256_us bridge_switch_us clock_hz",
)

PLACEHOLDERS = Costs(1.0, 0.3, 2.0, 0.010, 0.002, 300, 100, 50, 20, 150, 60, 400000)

# Everything but the wire is free, except a task switch: otherwise a task that polls would stop the time.
# Boot and association still take their time: they are not computing.
ZERO = PLACEHOLDERS._replace(
    connect_s=0.0, delay_s=0.0, i2c_setup_us=0, irq_us=0, sha256_us=0, switch_us=1, bridge_sha256_us=0,
    bridge_switch_us=3,
)

BRIDGE_HZ = 80_000_000
CLIENT_HZ = 168_000_000

# Figures of `make bench-chip`, which fails if one of them is off by more than 8 %.
COUNTED = {
    "bridge, a SHA-256 block": 6104,
    "bridge, a task switch": 21_900,
    "bridge instructions, up, full frame": 390_100,
    "bridge instructions, down, full frame": 398_000,
    "bridge, SoftI2C write, byte": 961,
    "bridge, SoftI2C read, byte": 880,
    "client, a SHA-256 block": 4052,
    "client, a soft interrupt": 2500,
    "client instructions, up 180, frame": 691_700,
    "client instructions, down 180, frame": 667_100,
}

# What a full frame has, in bed virtual: transactions besides those that the acknowledgements of many share; steps of
# each board's loop; SHA-256 blocks: of the transfer, and in the client of the session's MAC.
_TRANSACTIONS = 2
_BRIDGE_STEPS = {"up": 3, "down": 2}
_CLIENT_STEPS = {"up": 4.25, "down": 5.03}
_BLOCKS = 17
_CLIENT_BLOCKS = 37
_PAUSES_US = 2  # of machine.SoftI2C, for each clock, if more than 250 kHz are asked for
_CLOCKS = 9  # of a byte
_DIRECTIONS = ("up", "down")


def calculated(counted, bridge_hz=BRIDGE_HZ):
    """Returns the Costs that follow from such counts: one instruction a clock, cache misses not modelled.

    Network, boot and Wi-Fi are the placeholders' still. What the bed has no cost for, the bytecode of bridge and
    client, is part of the cost of a transaction and of the client's steps, as full frames of 180-byte lines have it.
    """

    def bridge_us(name):
        return counted["bridge" + name] * 1e6 / bridge_hz

    def client_us(name):
        return counted["client" + name] * 1e6 / CLIENT_HZ

    block, client_block = bridge_us(", a SHA-256 block"), client_us(", a SHA-256 block")
    switch = bridge_us(", a task switch")
    of_bridge = [
        bridge_us(f" instructions, {direction}, full frame") - _BLOCKS * block - _BRIDGE_STEPS[direction] * switch
        for direction in _DIRECTIONS
    ]
    of_client = [
        (client_us(f" instructions, {direction} 180, frame") - _CLIENT_BLOCKS * client_block) / _CLIENT_STEPS[direction]
        for direction in _DIRECTIONS
    ]
    bytes_us = [bridge_us(f", SoftI2C {name}, byte") + _CLOCKS * _PAUSES_US for name in ("write", "read")]
    return PLACEHOLDERS._replace(
        i2c_setup_us=round(sum(of_bridge) / len(of_bridge) / _TRANSACTIONS),
        irq_us=round(client_us(", a soft interrupt")),
        sha256_us=round(client_block),
        switch_us=round(sum(of_client) / len(of_client)),
        bridge_sha256_us=round(block),
        bridge_switch_us=round(switch),
        clock_hz=round(_CLOCKS * 1e6 * len(bytes_us) / sum(bytes_us)),
    )


CALCULATED = calculated(COUNTED)

MODELS = {"placeholders": PLACEHOLDERS, "calculated": CALCULATED, "zero": ZERO}
