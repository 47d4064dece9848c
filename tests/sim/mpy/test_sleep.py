"""machine.lightsleep and machine.deepsleep of simulated boards: what stands, what wakes, how the program goes on."""

import json

import pytest

from tests.patience import PATIENCE_S

PINS = {"pyboard": "X9", "pico": "GP1"}


@pytest.mark.parametrize("name", PINS)
def test_lightsleep_goes_on_behind_the_call_with_pins_as_they_were(board, name):
    text = f"""
import machine, time
pin = machine.Pin("{PINS[name]}", machine.Pin.OUT, value=1)
ticks = []
timer = machine.Timer(period=10, callback=lambda timer: ticks.append(1))
begin, before = time.ticks_ms(), len(ticks)
machine.lightsleep(1000)
slept, after = time.ticks_diff(time.ticks_ms(), begin), len(ticks)
print(slept >= 1000, pin(), after - before < 20, machine.reset_cause())
while len(ticks) < after + 3:
    time.sleep_ms(5)
"""
    assert board(text, "--board", name).split() == ["True", "1", "True", "1"]


@pytest.mark.parametrize(("name", "causes"), [("pyboard", ["1", "4"]), ("pico", ["1", "3"])])
def test_deepsleep_starts_the_program_again_with_its_cause(board, tmp_path, name, causes):
    text = f"""
import machine, time
FILE = {str(tmp_path / "time")!r}
print(machine.reset_cause())
if machine.reset_cause() == machine.PWRON_RESET:
    with open(FILE, "w") as file:
        file.write("%d" % time.time_ns())
    machine.deepsleep(700)
    print("never")
with open(FILE) as file:
    assert time.time_ns() - int(file.read()) >= 700_000_000
assert machine.reset_cause() == getattr(machine, "DEEPSLEEP_RESET", machine.WDT_RESET)
"""
    assert board(text, "--board", name).split() == causes


WOKEN = """
import machine, time
seen = []
machine.Pin("{pin}").irq(lambda pin: seen.append(1), machine.Pin.IRQ_RISING)
begin = time.ticks_ms()
before = len(seen)
machine.lightsleep({time})
print(len(seen) - before, time.ticks_diff(time.ticks_ms(), begin))
"""


@pytest.fixture
def edges(tmp_path):
    """Options of a world in which a pin rises once a second."""

    def of(pin):
        path = tmp_path / "world.json"
        path.write_text(json.dumps({"pins": {pin: [[n / 2, n % 2] for n in range(4 * PATIENCE_S)]}}))
        return "--world", path

    return of


@pytest.mark.parametrize("time", [600_000, ""])
def test_interrupt_of_a_pin_wakes_a_pyboard_and_is_handled_then(board, edges, time):
    seen, slept = map(int, board(WOKEN.format(pin="X1", time=time), *edges("X1")).split())
    assert seen >= 1 and slept < 600_000


def test_interrupts_of_a_pin_are_lost_on_an_rp2(board, edges):
    seen, slept = map(int, board(WOKEN.format(pin="GP1", time=4000), "--board", "pico", *edges("GP1")).split())
    assert slept >= 4000 and seen <= 1  # one may come just before it sleeps


@pytest.mark.parametrize(("name", "text"), [("pyboard", "wakeup value too large"), ("pico", "sleep too long")])
def test_time_that_the_chip_cannot_count_is_refused(board, name, text):
    program = """
import machine
for call in machine.lightsleep, machine.deepsleep:
    try:
        call(200_000_000)
    except ValueError as error:
        print(error)
"""
    assert board(program, "--board", name).splitlines() == [text, text]


def test_names_of_causes_are_the_ports(board):
    text = "import machine\nprint(sorted(name for name in dir(machine) if name.endswith('_RESET')))"
    assert board(text, "--board", "pico").strip() == "['PWRON_RESET', 'WDT_RESET']"
    assert "'DEEPSLEEP_RESET', 'HARD_RESET'" in board(text)


def test_watchdog_runs_on_in_lightsleep(board):
    text = """
import machine
print(machine.reset_cause())
if machine.reset_cause() == machine.PWRON_RESET:
    machine.WDT(timeout=500)
    machine.lightsleep(600_000)
"""
    assert board(text).split() == ["1", "3"]


@pytest.mark.parametrize("way", ["lightsleep", "deepsleep"])
def test_client_that_sleeps_is_shown_as_such_until_it_wakes(real_link, tmp_path, monkeypatch, micropython64, way):
    monkeypatch.setenv("MICROPYTHON", micropython64)
    program = tmp_path / "client.py"
    program.write_text(f"""
import machine, time
if machine.reset_cause() == machine.PWRON_RESET:
    machine.{way}(3000)
print("awake")
while True:
    time.sleep(1)
""")
    link = real_link(program)
    bed = link._beds["demo"]
    link.run_until(lambda: bed.client_sleeps)
    link.wait_for("awake")
    assert not bed.client_sleeps


def test_reset_button_and_power_wake_a_client_from_deepsleep(real_link, tmp_path, monkeypatch, micropython64):
    monkeypatch.setenv("MICROPYTHON", micropython64)
    program = tmp_path / "client.py"
    program.write_text("import machine\nprint('cause', machine.reset_cause())\nmachine.deepsleep(600_000)\n")
    link = real_link(program)
    assert link.wait_for("cause") == "cause 1"
    link.inject("client-reset")
    assert link.wait_for("cause", count=2) == "cause 2"
    link.inject("client-kill")
    assert link.wait_for("cause", count=3) == "cause 1"
