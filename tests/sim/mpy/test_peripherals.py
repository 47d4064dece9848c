"""What programs use on boards besides I2C, in the MicroPython of simulated boards, with a world around them."""

import json

import pytest

ADC_PINS = {"pyboard": "X19", "pico": "GP26"}


@pytest.fixture
def world(tmp_path):
    """Writes a world file. Returns the options for it."""

    def write(data):
        path = tmp_path / ("world.json" if not isinstance(data, str) else "world.py")
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        return "--world", path

    return write


@pytest.mark.parametrize("name", ADC_PINS)
def test_adc_reads_the_volts_of_the_world(board, world, name):
    pin = ADC_PINS[name]
    text = f"from machine import ADC, Pin\na = ADC(Pin('{pin}'))\nprint(a.read_u16(), a.read_uv())"
    assert board(text, "--board", name, *world({"analog": {pin: 1.65}})).split() == ["32768", "1650025"]


def test_adc_follows_a_script_and_a_function(board, world):
    text = """
import time
from machine import ADC
script, function = ADC("X19"), ADC("X20")
before = script.read_u16()
while script.read_u16() < 65535:
    time.sleep_ms(5)
print(before < 60000, function.read_u16() > 0)
"""
    made = world('WORLD = {"analog": {"X19": [[2.5, 0.0], [3, 3.3]], "X20": lambda now: now}}')
    assert board(text, *made).strip() == "True True"


def test_adc_of_other_pins_and_of_the_chip(board):
    board("from machine import ADC\nADC('X9')", status=1)
    text = "from machine import ADC\nu = ADC(ADC.CORE_TEMP).read_u16() * 3.3 / 65535\n"
    text += "print(round(27 - (u - 0.706) / 0.001721))"
    assert board(text, "--board", "pico").strip() == "27"


def test_adc_without_a_world_reads_the_level_or_the_average_of_a_pwm_output(board):
    text = """
WIRES = [("X1", "X2"), ("X3", "X4")]
from machine import ADC, PWM, Pin
out, level = Pin("X3", Pin.OUT, value=1), ADC("X4")
print(level.read_u16())
out(0)
print(level.read_u16())
pwm = PWM(Pin("X1"), freq=1000, duty_u16=16384)
print(pwm.freq(), pwm.duty_u16(), pwm.duty_ns(), ADC("X2").read_u16())
pwm.duty_ns(500000)
print(pwm.duty_u16(), ADC("X2").read_u16())
pwm.deinit()
print(ADC("X2").read_u16())
"""
    assert board(text).split("\n")[:5] == ["65535", "0", "1000 16384 250003 16384", "32767 32767", "0"]


def test_timers_call_back_at_their_times_in_order(board):
    text = """
import time
from machine import Timer
seen, times = [], {"fast": [], "once": []}
def note(name):
    seen.append(name)
    times[name].append(time.ticks_diff(time.ticks_ms(), begin))
begin = time.ticks_ms()
fast = Timer(period=20, mode=Timer.PERIODIC, callback=lambda t: note("fast"))
once = Timer(-1)
once.init(period=50, mode=Timer.ONE_SHOT, callback=lambda t: note("once"))
before = (time.ticks_diff(time.ticks_ms(), begin) + 50) // 20  # so often "fast" may come first
while len(times["fast"]) < 6 or not times["once"]:
    time.sleep_ms(1)
print(all(ms >= 20 * number for number, ms in enumerate(times["fast"], 1)), times["once"][0] >= 50)
print(seen.count("once"), seen.index("once") <= before)
fast.deinit()
time.sleep_ms(60)
count = len(seen)
time.sleep_ms(60)
print(len(seen) == count)
"""
    assert board(text, "--board", "pico").split() == ["True", "True", "1", "True", "True"]


def test_a_timer_of_hours_does_not_tick_early(board):
    text = """
import time
from machine import Timer
seen = []
for ms in (4294968, 100000000000):  # more microseconds than 32 bits have
    Timer(period=ms, callback=lambda t: seen.append("slow"))
Timer(period=20, callback=lambda t: seen.append("fast"))
while seen.count("fast") < 5:
    time.sleep_ms(1)
print(seen.count("slow"))
"""
    assert board(text) == "0\n"


def test_a_timer_that_is_not_served_is_one_interrupt_and_comes_in_asyncio(board):
    text = """
import asyncio, time
from machine import Timer
seen = []
timer = Timer(freq=1000, callback=lambda t: seen.append(1))
until = time.ticks_add(time.ticks_ms(), 200)
while time.ticks_diff(until, time.ticks_ms()) > 0:
    pass
timer.deinit()
time.sleep_ms(20)
print(len(seen) <= 3)
flag = asyncio.ThreadSafeFlag()
async def main():
    Timer(period=10, mode=Timer.ONE_SHOT, callback=lambda t: flag.set())
    await flag.wait()
    print("woken")
asyncio.run(main())
"""
    assert board(text).split() == ["True", "woken"]


def test_timers_end_with_the_program_that_a_reset_ends(board):
    text = """
import machine, time
if machine.reset_cause() == 1:
    machine.Timer(period=10, callback=lambda t: print("early"))
    machine.reset()
time.sleep_ms(100)
print("quiet")
"""
    assert board(text).strip() == "quiet"


def test_clock_is_this_computers_and_keeps_what_was_set_through_a_reset(board):
    text = """
import machine, time
rtc = machine.RTC()
if machine.reset_cause() == 1:
    assert rtc.datetime()[0] >= 2026, rtc.datetime()
    rtc.datetime((2031, 5, 6, 2, 7, 8, 9, 0))
    assert time.localtime()[:5] == (2031, 5, 6, 7, 8)
    machine.reset()
print(rtc.datetime()[:6], time.gmtime()[:3], len(time.gmtime()), isinstance(time.time(), int))
"""
    assert board(text).strip() == "(2031, 5, 6, 2, 7, 8) (2031, 5, 6) 8 True"


@pytest.mark.parametrize(
    ("name", "spi", "cs"), [("pyboard", "SPI(1)", "X5"), ("pico", "SPI(0, baudrate=1000000)", "GP17")]
)
def test_spi_devices_have_the_values_of_the_world(board, world, name, spi, cs):
    text = f"""
from machine import Pin, {spi[:3]}
spi, cs = {spi}, Pin("{cs}", Pin.OUT, value=1)
def mcp3008(channel):
    buf = bytearray((1, 0x80 | channel << 4, 0))
    cs(0)
    spi.write_readinto(buf, buf)
    cs(1)
    return (buf[1] & 3) << 8 | buf[2]
print(mcp3008(0), mcp3008(3), spi.read(2))
"""
    made = world({"spi": [{"type": "MCP3008", "cs": cs, "values": {"ch0": 1.65, "ch3": 3.3}}]})
    assert board(text, "--board", name, *made).strip() == "512 1023 b'\\x00\\x00'"


def test_software_spi_reads_a_thermocouple_and_a_wire_from_end_to_end_echoes(board, world):
    text = """
WIRES = [("Y1", "Y2")]
from machine import Pin, SoftSPI
spi, cs = SoftSPI(sck="Y9", miso="Y10"), Pin("Y11", Pin.OUT, value=1)
cs(0)
data = int.from_bytes(spi.read(4), "big")
cs(1)
hot = data >> 18
print((hot - (1 << 14) if hot & 1 << 13 else hot) / 4, (data >> 4 & 0xFFF) / 16, data & 7)
echo = SoftSPI(sck="Y3", mosi="Y1", miso="Y2")
buf = bytearray(5000)
echo.write_readinto(bytes(range(250)) * 20, buf)
print(bytes(buf) == bytes(range(250)) * 20)
"""
    values = {"temperature": -12.25, "cold": 20}
    made = world({"spi": [{"type": "MAX31855", "cs": "Y11", "sck": "Y9", "values": values}]})
    assert board(text, *made).split() == ["-12.25", "20.0", "0", "True"]


def test_leds_are_seen(sim, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import pyb\npyb.LED(4).on()\nprint(pyb.LED(4).intensity(), pyb.LED(1).intensity())\n")
    done = sim("board", program)
    assert done.stdout.split() == ["255", "0"] and "board * LED blue on" in done.stderr
    program.write_text("from machine import Pin\nled = Pin('LED', Pin.OUT)\nled.on()\nprint(led(), Pin(25)())\n")
    done = sim("board", program, "--board", "pico")
    assert done.stdout.split() == ["1", "1"] and "board * LED green on" in done.stderr


def test_switch_that_the_world_presses_and_the_rest_of_pyb(board, world):
    text = """
import pyb
pressed = []
switch = pyb.Switch()
switch.callback(lambda: pressed.append(1))
print(switch.value())
ticks = []
timer = pyb.Timer(4, freq=100, callback=lambda t: ticks.append(t))
begin = pyb.millis()
while not pressed or len(ticks) < 3:
    pyb.delay(2)
print(switch.value(), ticks[0] is timer, pyb.elapsed_millis(begin) > 0, pyb.ADC("X19").read())
pyb.Timer(2, freq=1000).channel(1, pyb.Timer.PWM, pin=pyb.Pin("X1"), pulse_width_percent=50)
print(pyb.ADC("X1").read())
"""
    # Pressed when the program has begun, also on a busy machine.
    made = world({"analog": {"X19": 3.3}, "pins": {"SW": [[3, 0]]}})
    assert board(text, *made).split() == ["False", "True", "True", "True", "4095", "2047"]
    board("import pyb", "--board", "pico", status=1)


OWN = """
from sim.wires.sensors.device import Registers
from sim.wires.spi import SPIDevice


class Probe(Registers):
    ADDRESSES = (0x2A,)
    VALUES = {"depth": 0.0}  # m

    def refresh(self, now):
        self.memory[1] = int(self.value("depth", now) * 10)


class Counter(SPIDevice):
    def select(self, now):
        self.count = 0

    def exchange(self, value, now):
        self.count += 1
        return self.count


WORLD = {
    "devices": [{"type": Probe, "values": {"depth": 4.2}}],
    "spi": [{"type": Counter, "cs": "X5"}],
}
"""


def test_models_of_ones_own(board, world):
    text = """
from machine import I2C, SPI, Pin
print(I2C(2).readfrom_mem(0x2A, 1, 1)[0])
cs = Pin("X5", Pin.OUT, value=0)
print(list(SPI(1).read(3)))
"""
    assert board(text, *world(OWN)).splitlines() == ["42", "[1, 2, 3]"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"analog": {"X9": 1.0}}, "X9 of a pyboard is no analog input"),
        ({"analog": {"X19": "much"}}, "analog: X19: a value is a number"),
        ({"pins": {"GP1": 1}}, "a pyboard has no pin 'GP1'"),
        ({"pins": {"X1": [[0, 2]]}}, "pins: X1: a list of"),
        ({"spi": [{"type": "MCP9999", "cs": "X5"}]}, "there is no model of 'MCP9999': MCP3008, MAX31855"),
        ({"spi": [{"type": "MCP3008"}]}, "an object with type, cs"),
        ({"spi": [{"type": "MCP3008", "cs": "X5", "values": {"ch9": 1}}]}, "MCP3008 has no value 'ch9'"),
        ({"sky": 1}, "the file has no 'sky'"),
        ("class Plain: pass\nWORLD = [{'type': Plain}]", "Plain is no class of Registers, Words or Commands"),
        ("class Plain: pass\nWORLD = {'spi': [{'type': Plain, 'cs': 'X5'}]}", "Plain is no class of SPIDevice"),
        ("WORLD = [1 / 0]", "it has raised ZeroDivisionError"),
        ("OTHER = 1", "it defines no WORLD"),
        ({"devices": 5}, "world.json: devices is to be a list, not 5"),
        ({"devices": [{"type": ["a"]}]}, "world.json: device 1: type is to be a name, not ['a']"),
        ({"devices": [{"type": "TMP117", "plug": 5}]}, "world.json: device 1: plug is to be a list, not 5"),
        ({"devices": [{"type": "TMP117", "values": 5}]}, "world.json: device 1: values is to be an object, not 5"),
        ({"spi": 5}, "world.json: spi is to be a list, not 5"),
        ({"spi": [{"type": ["a"], "cs": "X5"}]}, "world.json: spi: type is to be a name, not ['a']"),
        ({"spi": [{"type": "MCP3008", "cs": ["X5"]}]}, "world.json: spi: cs is to be a name, not ['X5']"),
        ({"spi": [{"type": "MCP3008", "cs": "X5", "values": 5}]}, "world.json: spi: values is to be an object, not 5"),
    ],
)
def test_mistakes_in_a_world_are_told(sim, tmp_path, world, data, said):
    program = tmp_path / "program.py"
    program.write_text("print('never')\n")
    done = sim("board", program, *world(data))
    assert done.returncode == 2 and said in done.stderr and "never" not in done.stdout, done.stderr


FUNCTION = """
def volts(now):
    return %s
WORLD = {"analog": {"X19": volts}, "devices": [{"type": "TMP117", "values": {"temperature": volts}}]}
"""
READS = ("pyb.ADC('X19').read()", "machine.I2C(2).readfrom_mem(0x48, 0, 2)")


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    ("value", "said"), [("1 / 0", "has raised ZeroDivisionError at "), ("'1.2'", "has returned '1.2' at ")]
)
def test_function_of_the_world_that_fails_ends_the_run_with_its_name(sim, tmp_path, world, read, value, said):
    program = tmp_path / "program.py"
    program.write_text(f"import machine, pyb, time\nwhile True:\n    {read}\n    time.sleep_ms(50)\n")
    options = world(FUNCTION % value)
    done = sim("board", program, *options)
    *trace, last = done.stderr.splitlines()
    assert done.returncode == 2
    assert last.startswith(f"sim board: the function volts of {options[1]}, line 2, {said}")
    assert ("return 1 / 0" in "".join(trace)) == (value == "1 / 0") and "/sim/" not in "".join(trace)


METHODS = """
from sim.wires.sensors.device import Registers
from sim.wires.spi import SPIDevice


class Probe(Registers):
    ADDRESSES = (0x2A,)

    def __init__(self, **options):
        super().__init__(**options)
        self.{made}()

    def refresh(self, now):
        self.{read}()

    def store(self, register, value):
        self.{written}()


class Counter(SPIDevice):
    def exchange(self, value, now):
        self.{exchanged}()
        return 0


WORLD = {{"devices": [{{"type": Probe}}], "spi": [{{"type": Counter, "cs": "X5"}}]}}
"""


CALLED = {"made": "Probe.__init__", "read": "Probe.refresh", "written": "Probe.store", "exchanged": "Counter.exchange"}


@pytest.mark.parametrize(("place", "method"), CALLED.items())
def test_method_of_ones_own_model_that_raises_ends_the_run_with_its_name(sim, tmp_path, world, place, method):
    program = tmp_path / "program.py"
    program.write_text("""
from machine import I2C, SPI, Pin
i2c, cs = I2C(2), Pin("X5", Pin.OUT, value=0)
i2c.writeto(0x2A, b"\\1\\2")
i2c.readfrom(0x2A, 1)
SPI(1).read(1)
print("never")
""")
    places = dict.fromkeys(CALLED, "__repr__") | {place: "nonesuch"}
    options = world(METHODS.format(**places))
    done = sim("board", program, *options)
    *trace, last = done.stderr.splitlines()
    assert done.returncode == 2 and "never" not in done.stdout, done.stderr
    assert last.startswith(f"sim board: {method} of {options[1]}, line ") and "has raised AttributeError: " in last
    assert "self.nonesuch()" in "".join(trace) and "/sim/" not in "".join(trace) and "asyncio" not in done.stderr


def test_what_a_model_does_not_have_ends_the_run(sim, tmp_path, world):
    program = tmp_path / "program.py"
    program.write_text("from machine import I2C\nI2C(2).writeto_mem(0x1D, 0x38, b'\\x80')\nprint('never')\n")
    done = sim("board", program, *world([{"type": "ADXL313"}]))
    assert done.returncode == 2 and done.stderr.strip() == "sim board: ADXL313: FIFO_CTL = 0x80", done.stderr
