"""The bars of `make bench`, by the name of the figure; ", of the limit" is the bar of its ratio.

Bars exist only for counts and virtual time, not for a figure that depends on the machine. The bars of instructions, of
the client's allocations and of RAM are not goals. They make an increase visible: the measured value plus 5 %, of
RAM and of what a line costs the client plus 3 %.
Instructions depend on the compiler (gcc 11 makes 3 % fewer of them than gcc 12, with which these were counted).
The least free heap is that of real processes in real time: it has been seen to vary by 128 bytes.
"""

BARS = {
    "up 180 stream zero": (">=", 0.93),
    "up 50 stream zero": (">=", 0.91),
    "down 180 stream zero": (">=", 0.92),
    "down 50 stream zero": (">=", 0.88),
    "both 180 stream zero": (">=", 0.93),
    "up 180 stream model": (">=", 0.82),
    "up 50 stream model": (">=", 0.80),
    "down 180 stream model": (">=", 0.81),
    "down 50 stream model": (">=", 0.80),
    "both 180 stream model": (">=", 0.82),
    **{
        f"{direction} stream {cost}, of the limit": (">=", 0.98)
        for direction in ("up 180", "up 50", "down 180", "down 50", "both 180")
        for cost in ("zero", "model")
    },
    "echo zero median clocks": ("<=", 2200),
    "echo model median": ("<=", 14.0),
    "channel up 1000 stream zero": (">=", 0.92),
    "channel down 1000 stream zero": (">=", 0.92),
    "channel up 1000 stream model": (">=", 0.80),
    "channel down 1000 stream model": (">=", 0.80),
    "channel echo zero median clocks": ("<=", 2250),
    **{
        f"{what} echo {cost}, a full channel beside it, of it alone": ("<=", 1.2)
        for what in ("channel", "lines")
        for cost in ("zero", "model")
    },
    "request of the client zero median clocks": ("<=", 2200),
    "request of the server zero median clocks": ("<=", 2200),
    **{
        f"{direction} 180 stream {cost}, {what}, of lines alone": (">=", 0.95)
        for direction in ("up", "down", "both")
        for cost in ("zero", "model")
        for what in ("bytes clocked", "lines and samples")
    },
    "echo zero median, 200 samples/s beside it, of it alone": ("<=", 1.05),
    "echo model median, 200 samples/s beside it, of it alone": ("<=", 1.05),
    "read_byte_data over the link model, beyond the echo": ("<=", 3.0),
    "client RAM, what an I2CService loads beside requests": ("<=", 3692),
    "fallbacks, all lines of the wire": ("<=", 0),
    "fallbacks, real MicroPython": ("<=", 0),
    "idle transactions, connected": ("<=", 1.0),
    "crash, a line pending, ours": ("<=", 1.5),
    "crash, idle, ours": ("<=", 4.0),
    "crash, a line pending, beats missed before the reset": (">=", 3),
    "crash, idle, beats missed before the reset": (">=", 3),
    "bridge between two awaits, up": ("<=", 25),
    "bridge between two awaits, down": ("<=", 25),
    "bridge free heap, least": (">=", 27500),
    "bridge free heap from ROMFS, least": (">=", 25000),
    "bridge allocates, up 180": ("<=", 64),
    "bridge allocates, down 180": ("<=", 64),
    "bridge instructions, up 180": ("<=", 62300),
    "bridge instructions, down 180": ("<=", 59400),
    "client instructions, up 180": ("<=", 180500),
    "client instructions, down 180": ("<=", 198200),
    "client allocates, up 180": ("<=", 273),
    "client allocates, down 180": ("<=", 549),
    "client RAM, import of pb_link, compiled": ("<=", 62100),
    "client RAM, AppBase that runs, compiled": ("<=", 10840),
    "client RAM, AppBase that runs by run, compiled": ("<=", 14140),
    "client RAM, import of pb_link, installed": ("<=", 36000),
    "client RAM, AppBase that runs, installed": ("<=", 10280),
    "client RAM, AppBase that runs by run, installed": ("<=", 13440),
    "client RAM, import of pb_link, ROMFS": ("<=", 14000),
    "client RAM, AppBase that runs, ROMFS": ("<=", 9920),
    "client RAM, AppBase that runs by run, ROMFS": ("<=", 11300),
    "client RAM, two channels, installed": ("<=", 16780),
    "client RAM, two channels, ROMFS": ("<=", 6890),
    "client RAM, two channels, frozen": ("<=", 7940),
    "client RAM, one channel more, installed": ("<=", 528),
    "client RAM, import of pb_link, frozen": ("<=", 16700),
    "client RAM, AppBase that runs, frozen": ("<=", 9740),
    "client RAM, AppBase that runs by run, frozen": ("<=", 10710),
    "sensor bus, 8 devices at 10 Hz and 1 at 100 Hz, polls missed": ("<=", 0),
    "sensor bus, 8 devices at 10 Hz and 1 at 100 Hz, jitter of the stamps": ("<=", 200),
    "sensor bus, plugged in at a boosted address, until identified": ("<=", 1.0),
    "sensor bus, plugged in at any address, until identified": ("<=", 22.0),
    "sensor bus, 8 devices at 10 Hz and 1 at 100 Hz, share of the scan": ("<=", 0.10),
    "sensor bus, sda stuck in any bit, until all polls go on": ("<=", 250),
    "sensor bus, sda stuck in any bit, devices lost": ("<=", 0),
    "sensors RAM, table of 16 types, installed": ("<=", 1500),
    "sensors RAM, table of 16 types, ROMFS": ("<=", 132),
    "sensors RAM, bus with 8 devices of 4 types, installed": ("<=", 24200),
    "sensors RAM, bus with 8 devices of 4 types, with pins, installed": ("<=", 24370),
    "sensors RAM, bus with 8 devices of 4 types, after a recovery, installed": ("<=", 24540),
    "sensors RAM, bus with 8 devices of 4 types, ROMFS": ("<=", 13100),
    "sensors RAM, bus with 8 devices of 4 types, with pins, ROMFS": ("<=", 13120),
    "sensors RAM, bus with 8 devices of 4 types, after a recovery, ROMFS": ("<=", 13170),
}
