"""build/chip/model.py: the table of counts is compared with what was counted; the model follows from it."""

from build.bench.figures import Figure
from build.chip import model
from sim.virtual.costs import BRIDGE_HZ, CALCULATED, CLIENT_HZ, COUNTED, PLACEHOLDERS, calculated


def test_constant_that_is_off_is_told_and_one_that_was_not_measured_is_not():
    table = {"a": 1000, "b": 1000, "c": 1000}
    figures = [Figure("x", "a", 1100, "instructions"), Figure("x", "b", 1040, "instructions")]
    assert model.outdated(figures, table) == ["a: 1,100, sim/virtual/costs.py has 1,000"]


def test_every_constant_has_a_figure_of_a_part():
    named = [name for name in COUNTED if name.startswith(("bridge", "client"))]
    assert named == list(COUNTED)


def test_costs_follow_from_the_counts_one_instruction_a_clock():
    assert CALCULATED.bridge_sha256_us == round(COUNTED["bridge, a SHA-256 block"] * 1e6 / BRIDGE_HZ)
    assert CALCULATED.sha256_us == round(COUNTED["client, a SHA-256 block"] * 1e6 / CLIENT_HZ)
    more = dict(COUNTED)
    more["bridge instructions, up, full frame"] += 80 * 400  # 400 us more each way, two transactions a frame
    more["bridge instructions, down, full frame"] += 80 * 400
    assert calculated(more).i2c_setup_us == CALCULATED.i2c_setup_us + 200
    assert CALCULATED._replace(boot_s=0) != PLACEHOLDERS and CALCULATED.boot_s == PLACEHOLDERS.boot_s


def test_bus_has_the_clock_that_the_chips_code_reaches():
    assert 250_000 < CALCULATED.clock_hz < 330_000
