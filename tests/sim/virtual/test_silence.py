"""What lasts longer than `ticks_diff` can tell, scaled: `make soak-silence` has 7 and 13 days in full.

Here `ticks_ms` wraps 1,024 times as often, so that they are 10 and 18 minutes.
"""

import pytest

from sim.virtual.silence import DAY_S, DAYS, SILENCES, Silence

SCALE = 1024
TICKS_BITS = 20  # 30 on the chips


@pytest.mark.parametrize("days", DAYS)
@pytest.mark.parametrize("what", SILENCES)
def test_silence_is_survived(what, days):
    run = Silence(what, days * DAY_S / SCALE, TICKS_BITS)
    run.run()
    assert run.good, run.failure
    assert run.seconds > days * DAY_S / SCALE
    if what == "idle":
        assert run.result["outages"] == run.result["resets"] == 0
