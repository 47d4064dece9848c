"""sim/wires/chip.py: when the ESP8266's watchdog bites."""

import pytest

from sim.wires.chip import bite_at


def test_watchdog_bites_at_the_second_tick():
    for fed, due in ((0.0, 3.2), (0.1, 3.2), (1.5, 3.2), (1.6, 4.8), (10.0, 12.8)):
        assert bite_at(fed) == pytest.approx(due)
        assert 1.6 - 1e-9 <= bite_at(fed) - fed <= 3.2 + 1e-9
