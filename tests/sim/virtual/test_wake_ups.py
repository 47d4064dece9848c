"""Nobody waits for a look by the clock that an edge should have spared: `fallbacks` of client and bridge count them."""

import random

import pytest

from esp_link.bridge import Bridge
from i2c_devices.mailbox_target import MailboxTarget
from pb_link.bridge_watch import BridgeWatch
from pb_link.link import Link
from sim.virtual.apps import Pace
from sim.virtual.board import MISSED
from sim.virtual.costs import PLACEHOLDERS, ZERO
from sim.virtual.run import VirtualRun
from tests.sample import all_or

STARTS = all_or(16, 40)
LOST_STARTS = 10
# What a lost edge on syn may cost: the bridge's slowest look, 1 s, and the grain of its clock.
ONE_POLL_S = 1.1


def run_of(seed):
    """A run without faults, whose start, lines, pauses and costs the seed chooses."""
    chance = random.Random(f"{seed} wake-ups")
    pauses = [chance.choice((0, chance.uniform(0, 0.03), chance.uniform(0, 0.3))) for _ in range(2)]
    return VirtualRun(
        lines=20,
        size=chance.choice((20, 180, 1000, 4000)),
        seed=seed,
        pace=Pace(chance.choice((1, 3, 1000)), *pauses),
        costs=chance.choice((ZERO, PLACEHOLDERS)),
    )


def fallbacks(seed):
    run = run_of(seed)
    result = run.run()
    assert run.good, (seed, run.failure)
    return result["fallbacks"]


def test_without_faults_no_transfer_waits_for_a_look_by_the_clock():
    waited = {seed: found for seed in range(STARTS) if any((found := fallbacks(seed)).values())}
    assert waited == {}


def forget_late_edges(patch):
    """The bridge forgets an edge at the end of a pass, also one that came in the middle of it."""
    serve = Bridge._serve

    def served(bridge):
        again = serve(bridge)
        bridge._asked = False
        return again

    patch.setattr(Bridge, "_serve", served)


def wake_and_do_not_look(patch):
    """The edge wakes the bridge, which does not know what for."""
    patch.setattr(Bridge, "_on_syn", lambda bridge, pin: bridge._wake.set())


def pulse_for_offers(patch):
    """The client pulses for what it offers, not for what it has taken."""
    due = BridgeWatch.pulse_due
    patch.setattr(BridgeWatch, "pulse_due", lambda watch, pending, news: due(watch, pending, news and pending))


def do_not_wake_the_client(patch):
    """The client sleeps through edges on ack and through events of its target."""
    patch.setattr(Link, "_on_ack", lambda link, pin: None)
    patch.setattr(MailboxTarget, "_on_use", lambda box: None)


@pytest.mark.parametrize("lose", [forget_late_edges, wake_and_do_not_look, pulse_for_offers, do_not_wake_the_client])
def test_wake_up_that_is_lost_is_counted(lose, monkeypatch):
    lose(monkeypatch)
    assert any(sum(fallbacks(seed).values()) for seed in range(LOST_STARTS))


def exchange_without(lost):
    """Seconds of a short exchange, line by line, in which one interrupt is lost: the lost-th of the link that is up."""
    run = VirtualRun(lines=4, size=180, pace=Pace(1))
    left = lost

    def lose(source):
        nonlocal left
        if run.ledger.delivered:
            left -= 1
        return MISSED if left == 0 and run.ledger.delivered else None

    for board in (run.link.client, run.link.bridge):
        board.lose_interrupts = lose
    run.run()
    assert run.good
    return run.seconds, left <= 0


def test_lost_edge_costs_one_look_by_the_clock_at_most():
    whole_s, _ = exchange_without(0)
    lost, more = 0, True
    while more:
        lost += 1
        took_s, more = exchange_without(lost)
        assert took_s <= whole_s + ONE_POLL_S, lost
    assert lost > 20
