"""build/bench/times.py: a recovery is taken apart, and the parts are those of the fault."""

from build.bench.times import Recovery


def test_parts_of_a_recovery_are_those_of_the_fault():
    crash = Recovery(Recovery.crash, 0)
    assert list(crash.play(pending=True)) == ["detection", "reset", "boot", "association", "resume"]
    assert crash.beats_missed >= 1
    outage = Recovery(Recovery.wifi_outage, 0)
    parts = outage.play(pending=False)
    assert 2.0 <= parts["outage"] < 2.1 and not {"reset", "boot"} & set(parts)
