"""What lasts longer than `ticks_diff` can tell: 6.2 days on the chips.

Here `ticks_ms` wraps 1,024 times as often, so that 7 and 13 days are scaled to 10 and 18 minutes.
"""

import pytest

from sim.virtual.run import VirtualRun

SCALE = 1024
TICKS_BITS = 20  # 30 on the chips
DAYS = (7, 13)


def scaled(days):
    return days * 86400 / SCALE


@pytest.mark.parametrize("days", DAYS)
def test_idle_link_goes_on_where_it_was(days):
    run = VirtualRun(lines=3, interval_s=scaled(days), ticks_bits=TICKS_BITS)
    run.run()
    assert run.good, run.failure
    assert run.result["outages"] == run.result["resets"] == 0


def outages(link):
    """What can be away, and how it goes and comes."""
    return {
        "wifi": (lambda: link.esp8266.set_wifi(False), lambda: link.esp8266.set_wifi(True)),
        "server": (link.kill_server, link.start_server),
        "client": (link.kill_client, link.start_client),
        "bridge": (link.esp8266.power_off, link.esp8266.power_on),
    }


@pytest.mark.parametrize("days", DAYS)
@pytest.mark.parametrize("what", ("wifi", "server", "client", "bridge"))
def test_outage_is_survived(what, days):
    run = VirtualRun(lines=40, interval_s=1, ticks_bits=TICKS_BITS, timeout_s=scaled(days) + 300)
    goes, comes = outages(run.link)[what]
    run.world.after(20, goes)
    run.world.after(20 + scaled(days), comes)
    run.run()
    assert run.good, run.failure
