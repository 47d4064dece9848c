"""What a client's program finds on the virtual board: sleeps, resets, the watchdog, pins, clocks, other modules."""

import pytest

from sim.testing.modules import EPOCH_S, module
from sim.testing.observed import LinkFailed
from tests.sim.testing.programs import write_client

PROGRAM = """
import asyncio
import gc
import machine
import micropython
import os
import random
import sys
import time
from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

class App(AppBase):
    async def start(self):
        print("cause", machine.reset_cause())
        await self.write("hello")
%s

asyncio.run(App(conn_id, config, hardware).run())
"""


@pytest.fixture
def run(virtual_link, tmp_path):
    """Starts a program whose `start` has these lines. Returns the link."""

    def start(text, handler=None, **options):
        lines = "\n".join(" " * 8 + line for line in text.splitlines())
        return virtual_link(write_client(tmp_path, PROGRAM % lines), handler, **options)

    return start


async def no_reader(conn):
    pass


@pytest.mark.parametrize("ms", [2000, 9000, 60000])
def test_light_sleep_lasts_and_the_session_resumes(run, ms):
    link = run(
        f"before = time.ticks_ms()\nmachine.lightsleep({ms})\n"
        "print('slept', time.ticks_diff(time.ticks_ms(), before))\n"
        "await self.write('again')\nprint('written')"
    )
    link.wait_for("written")
    assert int(link.wait_for("slept").split()[1]) == pytest.approx(ms, abs=2)
    connection = link.connection()
    assert link.on_server(connection.readline()) == "hello\n" and link.on_server(connection.readline()) == "again\n"
    assert len([line for line in link.lines() if line.startswith("cause")]) == 1


def test_deep_sleep_ends_the_life_and_the_next_one_begins_after_it(run):
    link = run("machine.deepsleep(60000)\nprint('not reached')")
    link.wait_for("cause 1")
    link.wait_for("cause 4", count=2)
    assert 120 < link.seconds < 150 and "not reached" not in "".join(link.lines())
    assert "failed" not in "".join(link.lines())


@pytest.mark.parametrize(
    "text, cause",
    [("machine.reset()", 2), ("machine.soft_reset()", 5), ("machine.WDT(timeout=3000)\nawait asyncio.sleep(60)", 3)],
)
def test_reset_begins_a_life_with_its_cause(run, text, cause):
    link = run(text)
    link.wait_for(f"cause {cause}")
    link.inject("client-kill")
    link.wait_for("cause 1", count=2)


def test_watchdog_that_is_fed_does_not_bite(run):
    link = run(
        "dog = machine.WDT(timeout=3000)\nfor _ in range(10):\n    dog.feed()\n    await asyncio.sleep(2)\n"
        "print('lives')"
    )
    link.wait_for("lives")
    assert link.lines().count("cause 1") == 1 and "cause 3" not in link.lines()


def test_calls_that_wait_take_the_boards_time_alone(run):
    link = run("before = time.ticks_us()\ntime.sleep(1.5)\ntime.sleep_ms(250)\ntime.sleep_us(500)\n"
               "print('took', time.ticks_diff(time.ticks_us(), before), time.time() - %d)" % EPOCH_S)  # fmt: skip
    took, since = map(int, link.wait_for("took").split()[1:])
    assert took == pytest.approx(1_750_500, abs=2) and since == int(link.seconds)


def test_pins_are_driven_and_read_from_both_sides(run):
    link = run(
        "pin = machine.Pin('Y5', machine.Pin.IN)\npin.irq(lambda pin: print('edge', pin()))\n"
        "out = machine.Pin(7, machine.Pin.OUT, value=1)\nout.toggle()\nout.on()\nprint('ready', pin.value())"
    )
    link.wait_for("ready 0")
    assert link.pin(7).level == 1
    link.pin("Y5").drive("test", 1)
    link.wait_for("edge 1")


def test_what_boards_have_and_computers_do_not_is_there(run):
    link = run(
        "print(sys.platform, gc.mem_free() > 0, machine.unique_id(), len(os.urandom(4)), time.gmtime()[:3])\n"
        "print('flag', micropython.const(5))\nflag = asyncio.ThreadSafeFlag()\nflag.set()\nawait flag.wait()\n"
        "try:\n    await asyncio.wait_for_ms(flag.wait(), 20)\nexcept asyncio.TimeoutError as error:\n"
        "    sys.print_exception(error)\nawait asyncio.sleep_ms(10)\nmicropython.schedule(print, 'scheduled')"
    )
    assert link.wait_for("pyboard") == "pyboard True b'virtual-link' 4 (2026, 1, 1)"
    assert link.wait_for("flag") == "flag 5" and link.wait_for("TimeoutError") and link.wait_for("scheduled")


def test_random_numbers_follow_from_the_seed(run):
    text = "print('random', random.randrange(1000000), os.urandom(8))"
    found = [run(text, seed=seed).wait_for("random") for seed in (5, 5, 6)]
    assert found[0] == found[1] != found[2]


def test_test_adds_names_to_machine_and_modules_of_its_own(run):
    class DAC:
        def __init__(self, pin):
            self.pin = pin

    fake = module("bme280", read=lambda: 21)
    text = "import bme280\nprint('fake', bme280.read(), machine.DAC(1).pin)"
    link = run(text, machine={"DAC": DAC}, modules={"bme280": fake})
    assert link.wait_for("fake") == "fake 21 1"


@pytest.mark.parametrize("call", ["lightsleep()", "deepsleep()", "I2C(2)", "WDT(timeout=0)"])
def test_what_cannot_be_is_said(run, call):
    link = run(f"machine.{call}")
    with pytest.raises(LinkFailed, match="has failed"):
        link.run(20)
    assert link.wait_for("ValueError")
