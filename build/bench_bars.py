"""The bars of `make bench`, by the name of the figure; ", of the limit" is the bar of its ratio.

Only what is counted or is virtual time stands here: no figure that depends on the machine.
"""

BARS = {
    "up 180 stream zero": (">=", 0.93),
    "up 50 stream zero": (">=", 0.91),
    "both 180 stream zero": (">=", 0.94),
    "up 180 stream model": (">=", 0.80),
    "up 50 stream model": (">=", 0.79),
    "both 180 stream model": (">=", 0.80),
    "echo zero median clocks": ("<=", 2200),
    "echo model median": ("<=", 14.0),
    "idle transactions, connected": ("<=", 1.0),
    "crash, a line pending, ours": ("<=", 1.5),
    "crash, idle, ours": ("<=", 4.0),
    "crash, a line pending, beats missed before the reset": (">=", 3),
    "crash, idle, beats missed before the reset": (">=", 3),
}
