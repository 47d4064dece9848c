"""When the ESP8266 is taken for dead."""

import pytest

import primitives.timeout
from pb_link import limits
from pb_link.bridge_watch import BridgeWatch
from primitives.waiting import ticks_add

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest"


class Clock:
    """Milliseconds that the test moves; it starts just before `ticks_ms` wraps."""

    def __init__(self):
        self.now = (1 << 30) - 3000

    def __call__(self):
        return self.now

    def step(self, ms):
        self.now = ticks_add(self.now, ms)


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(primitives.timeout, "ticks_ms", found)
    return found


def alive_watch():
    watch = BridgeWatch()
    watch.used()
    return watch


def resets_within(watch, clock, ms, pending=False, step=50):
    """Milliseconds after which a reset is due, or None; syn is pulsed as the link does."""
    for passed in range(0, ms, step):
        if watch.reset_due():
            return passed
        watch.pulse_due(pending, False)
        clock.step(step)
    return None


def test_bridge_that_looks_every_second_is_never_reset(clock):
    watch = alive_watch()
    for _ in range(1000):
        clock.step(1000)
        watch.used()
        assert not watch.reset_due()


def test_three_missed_beats_are_forgiven_the_fourth_is_not(clock):
    watch = alive_watch()
    assert resets_within(watch, clock, 3 * 1000 + 400) is None
    assert resets_within(watch, clock, 200) is not None


def test_bridge_that_answered_syn_before_is_missed_after_four_pulses(clock):
    watch = alive_watch()
    watch.pulse_due(True, True)
    clock.step(20)
    watch.used()
    due = resets_within(watch, clock, 5000, pending=True)
    assert due is not None and due < limits.BRIDGE_IDLE_MS
    assert due >= 4 * limits.SYN_REPEAT_MS


def test_broken_syn_wire_makes_the_link_slow_and_resets_nothing(clock):
    watch = alive_watch()
    for _ in range(50):  # it comes by itself, never because of a pulse
        assert resets_within(watch, clock, 1000, pending=True) is None
        watch.used()


def test_answer_that_comes_late_does_not_count_as_one(clock):
    watch = alive_watch()
    watch.pulse_due(True, True)
    clock.step(limits.SYN_ANSWER_MS + 1)
    watch.used()
    assert resets_within(watch, clock, 2500, pending=True) is None


def test_syn_is_pulsed_for_news_and_repeated_while_something_waits(clock):
    watch = alive_watch()
    clock.step(1000)
    assert not watch.pulse_due(False, False)
    assert watch.pulse_due(True, True)
    assert not watch.pulse_due(True, False)
    clock.step(limits.SYN_REPEAT_MS)
    assert watch.pulse_due(True, False)
    assert watch.pulse_due(True, True)


def test_boots_that_fail_are_tried_again_at_a_falling_rate(clock):
    watch = BridgeWatch()
    given = []
    for _ in range(8):
        given.append(resets_within(watch, clock, 200000))
        watch.was_reset()
    assert given == [6000, 12000, 24000, 48000, 60000, 60000, 60000, 60000]
    assert watch.resets == 8


def test_bridge_that_boots_and_dies_at_once_does_not_speed_up_the_resets(clock):
    watch = BridgeWatch()
    clock.step(6000)
    watch.was_reset()
    watch.used()
    assert watch.boot_ms() == 2 * limits.BOOT_MS
    assert resets_within(watch, clock, 4000) is not None
    watch.was_reset()
    assert watch.boot_ms() == 2 * limits.BOOT_MS


def test_bridge_that_has_run_for_a_while_is_healthy_again(clock):
    watch = BridgeWatch()
    clock.step(6000)
    watch.was_reset()
    for _ in range(limits.HEALTHY_MS // 1000 + 1):
        watch.used()
        clock.step(1000)
    assert watch.boot_ms() == limits.BOOT_MS


# The client's own absence


def away(clock, watch, ms):
    """The client runs nothing for so long, and then a step of its loop. Returns whether a reset is due."""
    clock.step(ms)
    watch.pulse_due(False, False)
    return watch.reset_due()


@pytest.mark.parametrize("ms", [limits.OWN_ABSENCE_MS, 3000, 9000, 3600 * 1000])
@pytest.mark.parametrize("pending", [False, True])
def test_after_its_own_absence_the_client_gives_the_bridge_time_for_its_slowest_look(clock, ms, pending):
    watch = alive_watch()
    for _ in range(20):  # all the answers come at once: it is known to answer syn
        watch.pulse_due(pending, pending)
        watch.used()
        assert resets_within(watch, clock, 1000, pending) is None
        assert not away(clock, watch, ms)
        assert resets_within(watch, clock, 1250, pending) is None  # 1,000 ms, the grain of its clock, its program


def test_bridge_that_died_while_the_client_was_away_is_reset_soon(clock):
    watch = alive_watch()
    assert not away(clock, watch, 9000)
    due = resets_within(watch, clock, 5000)
    assert due is not None and due <= limits.BRIDGE_LOOK_MS + 50


def test_bridge_that_boots_while_the_client_is_away_has_time_to_show_itself(clock):
    watch = BridgeWatch()
    assert not away(clock, watch, limits.BOOT_MS + 1000)
    assert resets_within(watch, clock, 1250) is None
    watch.used()
    assert resets_within(watch, clock, 1000) is None


def test_client_that_is_always_slow_misses_a_dead_bridge_all_the_same(clock):
    watch = alive_watch()
    passed_ms = 0
    while not away(clock, watch, 600):
        passed_ms += 600
        assert passed_ms < limits.OWN_ABSENCES * 600 + limits.BRIDGE_IDLE_MS
