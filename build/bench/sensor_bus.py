"""What a sensor bus reaches, in virtual time at 400 kHz: polls, identification, scan, a stuck wire. Exact.

The scenes are sim/virtual/sensor_scenes.py, which the tests of the bus play too.
"""

from build.bench.figures import Figure
from sim.virtual import sensor_scenes

# Seconds after which a device is plugged in: at phases of the scan, whose slow sweep lasts 20 s.
_PLUGGED_S = (0.0, 0.05, 7.3, 13.1, 19.9)
_BITS = range(16)  # of the answer that is cut


def measure():
    nine = "8 devices at 10 Hz and 1 at 100 Hz"
    polls = sensor_scenes.polls()
    yield Figure("sensor bus", f"sensor bus, {nine}, polls missed", polls.missed, "polls")
    yield Figure("sensor bus", f"sensor bus, {nine}, jitter of the stamps", polls.jitter_us, "us")
    low = sensor_scenes.low_records()
    for what, *how in (("a boosted address", sensor_scenes.BOOST), ("any address", None, low)):
        slowest = max(sensor_scenes.time_to_identify(when_s, *how) for when_s in _PLUGGED_S)
        yield Figure("sensor bus", f"sensor bus, plugged in at {what}, until identified", slowest, "s")
    share = sensor_scenes.scan_share()
    yield Figure("sensor bus", f"sensor bus, {nine}, share of the scan", share, "of the time")
    stuck = [sensor_scenes.stuck_in_bit(bit, hardware) for bit in _BITS for hardware in (False, True)]
    slowest = max(one.seconds for one in stuck)
    yield Figure("sensor bus", "sensor bus, sda stuck in any bit, until all polls go on", slowest * 1000, "ms")
    lost = sum(len(one.lost) for one in stuck)
    yield Figure("sensor bus", "sensor bus, sda stuck in any bit, devices lost", lost, "events")
