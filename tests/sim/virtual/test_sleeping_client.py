"""A client that is away, in a long call or in light sleep, and comes back: the ESP8266 is healthy, and is not reset."""

import pytest

from sim.virtual.apps import Pace
from sim.virtual.run import VirtualRun

AWAY_S = (0.5, 1.0, 3.0, 5.0, 9.0)


@pytest.mark.parametrize("asleep", [True, False])
@pytest.mark.parametrize("pace", [Pace(1, 1.0, 1.0), Pace(1, 5.0, 5.0)], ids=["busy", "idle"])
def test_esp8266_is_not_reset_after_an_absence_of_the_client(asleep, pace):
    run = VirtualRun(lines=60, size=60, pace=pace)
    faults = run.faults

    def away(left):
        if run._first is None:  # not before the first line
            run.world.after(1.0, away, left)
            return
        if asleep:
            for port in list(run.link.bus.ports):
                port.owner.sleep(left[0])
        faults.client_away(left[0])
        if left[1:]:
            run.world.after(left[0] + 8.3, away, left[1:])

    run.world.after(1.0, away, AWAY_S * 2)
    result = run.run()
    assert run.good, run.failure
    assert result["resets"] == 0
