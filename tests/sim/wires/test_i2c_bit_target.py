"""A target's end of a transfer bit by bit: what it holds, and when it lets go."""

from errno import ENODEV

from sim.wires.nets import OPEN_DRAIN, BoardPin, Net
from sim.wires.pieces import REFUSED
from sim.wires.wire import Bus, Port
from tests.sim.wires.bench import ADDRESS, Bench, cut_after


def test_a_target_cut_off_in_a_zero_bit_holds_sda_until_it_is_clocked():
    bench = Bench(bytearray(8), trigger=48)
    cut_after(bench, bench.controller.read(ADDRESS, 8), (1 + 9 * 2 + 4) * 2.5)
    assert bench.sda.level == 0
    pin = BoardPin("gpio", bench.scl)
    pin.configure(OPEN_DRAIN, latch=1)
    clocks = 0
    while bench.sda.level == 0 and clocks < 9:
        clocks += 1
        pin.write(0)
        pin.write(1)
    assert bench.sda.level == 1 and clocks <= 9


def test_a_target_that_is_switched_off_lets_go():
    bench = Bench(bytearray(8), trigger=48)
    cut_after(bench, bench.controller.read(ADDRESS, 8), (1 + 9 * 2 + 4) * 2.5)
    bench.bus.detach(bench.port)
    assert bench.sda.level == 1
    assert bench.write(b"x").errno == ENODEV


def test_target_that_was_switched_off_in_a_transfer_holds_nothing():
    """Of the simulator: sda stayed low for ever, and the ESP8266 did not boot again."""
    bus = Bus(Net("scl", pull_up=True), Net("sda", pull_up=True))
    port = Port("client", 0x12)
    bus.attach(port)
    port.bits.begin()
    bus.detach(port)
    port.bits.stick(0, 3)
    assert bus.idle()


def test_target_that_refuses_its_address_takes_no_part():
    bench = Bench(bytearray(8))
    bench.bus.expand_bits = True
    bench.answer = lambda piece: REFUSED
    assert bench.write(b"xy").errno == ENODEV
    assert bench.bus.idle() and bench.port.bits.wants is None
