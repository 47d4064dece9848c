"""sim/mpy/boards/esp8266_c: the ESP8266's modules in C do what the stand-ins in Python do, and cost no heap."""

import asyncio
import socket

import pytest

from sim.mpy import esp8266, interpreters
from sim.mpy.bed import Bed
from sim.root import ROOT
from sim.wires import wifi
from sim.wires.nets import Net
from tests.patience import PATIENCE_S

# Memory of 16-bit addresses at 0x12 on X9, X10.
TARGET = """
import time
from machine import I2CTarget
mem = bytearray(range(64))
target = I2CTarget("X", 0x12, mem=mem, mem_addrsize=16)
print("target")
while True:
    time.sleep(1)
"""

MACHINE = """
import binascii, machine, micropython, sys
micropython.alloc_emergency_exception_buf(100)
print(sys.platform, hasattr(binascii, "crc32"), binascii.hexlify(machine.unique_id()), machine.reset_cause())
print(machine.PWRON_RESET, machine.WDT_RESET, machine.SOFT_RESET, machine.HARD_RESET, machine.freq())
for wrong in (lambda: machine.Pin(6), lambda: machine.Pin(17), lambda: machine.WDT(1), lambda: machine.freq(5)):
    try:
        print(wrong())
    except ValueError as error:
        print(error)
machine.WDT().feed()
machine.enable_irq(machine.disable_irq())
machine.idle()
"""

PINS = """
import time
from machine import Pin
out, pin = Pin(4, Pin.OUT, value=1), Pin(5, Pin.IN, Pin.PULL_UP)
print(Pin.IN, Pin.OUT, Pin.OPEN_DRAIN, Pin.PULL_UP, Pin.IRQ_RISING, Pin.IRQ_FALLING)
seen = []
def note(which):
    seen.append(which())
def until(count, wait):  # and once more, for one too many
    for _ in range(5000):
        if len(seen) >= count:
            break
        wait()
    wait()
def show(wait, falls, rises):
    out(0), until(falls, wait), out(1), until(falls + rises, wait)
    print(seen)
    seen.clear()
waits = lambda: time.sleep_ms(2), lambda: time.sleep(0.002), lambda: time.sleep_us(2000)
for trigger, falls, rises in ((Pin.IRQ_FALLING, 1, 0), (Pin.IRQ_RISING, 0, 1), (3, 1, 1)):
    pin.irq(note, trigger)
    for wait in waits:
        show(wait, falls, rises)
pin.irq(handler=None)
show(waits[0], 0, 0)
out.off(), print(pin.value()), out.on(), print(pin.value())
out.init(Pin.OPEN_DRAIN, value=1)
print(out())
for wrong in (lambda: pin.irq(note, hard=True), lambda: Pin(16).irq(note), lambda: Pin(16, Pin.IN, Pin.PULL_UP)):
    try:
        wrong()
    except (ValueError, OSError) as error:
        print(type(error), error)
"""

# While a callback runs the others wait, four at most.
QUEUE = """
import time
from machine import Pin
out, pin = Pin(4, Pin.OUT, value=1), Pin(5, Pin.IN)
seen = []
def note(which):
    seen.append(len(seen))
    if len(seen) == 1:
        for _ in range(8):
            out(1), out(0)
pin.irq(note, Pin.IRQ_FALLING)
out(0)
while len(seen) < 5:
    time.sleep_ms(1)
time.sleep_ms(50)
print(seen)
"""

I2C = """
from machine import Pin, SoftI2C
i2c = SoftI2C(scl=Pin(0), sda=Pin(2), freq=400000, timeout=20000)
print(i2c.scan())
def attempt(function, *arguments, **options):
    try:
        print(function(*arguments, **options))
    except (OSError, ValueError) as error:
        print(type(error), error)
buf = bytearray(4)
attempt(i2c.writeto_mem, 0x12, 3, b"abc", addrsize=16)
attempt(i2c.readfrom_mem, 0x12, 2, 5, addrsize=16)
attempt(i2c.readfrom_mem_into, 0x12, 4, buf, addrsize=16)
print(buf)
attempt(i2c.writeto, 0x12, b"\\0\\7", False)
attempt(i2c.readfrom, 0x12, 3)
attempt(i2c.writeto, 0x12, b"\\0\\3")
attempt(i2c.readfrom_into, 0x12, buf)
print(buf)
attempt(i2c.writevto, 0x12, (b"\\0", b"\\5", b"", b"xyz"))
attempt(i2c.writevto, 0x12, [b"\\0\\4", b"wxyz"])
attempt(i2c.readfrom_mem, 0x12, 3, 6, addrsize=16)
attempt(i2c.writeto, 0x33, b"1")
attempt(i2c.readfrom, 0x33, 1)
attempt(i2c.writeto_mem, 0x33, 1, b"1")
attempt(i2c.writeto_mem, 0x12, 1, b"1", addrsize=7)
i2c.start(), attempt(i2c.write, b"\\x24\\0\\2"), i2c.start(), attempt(i2c.write, b"\\x25")
i2c.readinto(buf, True), i2c.stop()
print(buf)
"""

WIFI = """
import network, time
wlan, ap = network.WLAN(network.STA_IF), network.WLAN(network.AP_IF)
ap.active(False)
wlan.active(True)
print(wlan.active(), wlan.isconnected(), wlan.ifconfig()[0], ap.isconnected(), wlan.config("mac"))
def join(*credentials):
    wlan.disconnect()
    wlan.connect(*credentials)
    states = set()
    for _ in range(6000):
        if states and wlan.status() != network.STAT_CONNECTING:
            break
        states.add(wlan.status())
        time.sleep_ms(10)
    print(wlan.status(), wlan.isconnected(), wlan.ifconfig()[0])
join("net", "wrong"), join("other", "pass"), join("net", "pass")
print(wlan.config("ssid"), wlan.config("essid"))
wlan.connect("n" * 40, "pass")
print(wlan.config("ssid"))
wlan.connect(b"\\xff", "pass")
try:
    wlan.config("ssid")
except UnicodeError as error:
    print(type(error))
wlan.connect("net", "pass")
print(wlan.status("rssi") < 0)
for wrong in (lambda: ap.connect("a"), lambda: wlan.status("x"), lambda: wlan.config("x"), lambda: network.WLAN(2)):
    try:
        wrong()
    except (OSError, ValueError) as error:
        print(type(error), error)
"""

TCP = """
import asyncio, network, socket, time
from machine import Pin
def attempt(host, port):
    sock = socket.socket()
    try:
        address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
        sock.connect(address[-1])
        sock.write(b"ping\\n")
        print(sock.readline())
    except OSError as error:
        print(error.errno)
    sock.close()
attempt("127.0.0.1", PORT)
wlan = network.WLAN(network.STA_IF)
wlan.active(True)
wlan.connect("net", "pass")
while not wlan.isconnected():
    time.sleep_ms(10)
attempt("127.0.0.1", PORT)
attempt("localhost", PORT)
attempt("127.0.0.1", CLOSED)
def writable(sock):
    yield asyncio.core._io_queue.queue_write(sock)
async def write_of_nothing():
    for port in (CLOSED, PORT):
        sock = socket.socket()
        sock.setblocking(False)
        try:
            sock.connect(("127.0.0.1", port))
        except OSError as error:
            if error.errno not in (115, 104):  # it is known already how it ended, or not yet
                raise
        await writable(sock)
        print(sock.write(b""))
        try:
            print(sock.send(b""), sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))
        except OSError as error:
            print(error.errno)
        sock.close()
asyncio.run(write_of_nothing())

taken = []
flag, out, pin = asyncio.ThreadSafeFlag(), Pin(4, Pin.OUT, value=1), Pin(5, Pin.IN)
pin.irq(lambda pin: flag.set(), Pin.IRQ_FALLING)
async def answers(reader):
    for _ in range(20):
        await flag.wait()
        line = await reader.readline()
        taken.append(line)
    print(line)
async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    task = asyncio.create_task(answers(reader))
    for number in range(20):
        writer.write(b"%d\\n" % number)
        await writer.drain()
        out(0), out(1)
        while len(taken) <= number:
            await asyncio.sleep_ms(2)
    await task
    writer.close()
asyncio.run(main())
"""

# Names, and what nobody answers: all without Wi-Fi but the last ones.
NAMES = """
import asyncio, network, socket, sys, time
sys.path.append("ROOT")
def join():
    wlan = network.WLAN(network.STA_IF)
    wlan.active(True)
    wlan.connect("net", "pass")
    while not wlan.isconnected():
        time.sleep_ms(10)
import esp_link.names
from esp_link import tcp
from esp_link.uplink import no_delay
from primitives.platform import sleep_ms, writable
def resolve(name):
    return esp_link.names.resolve(name, sleep_ms)
def connect(host, port):
    return tcp.connect(host, port, resolve, writable)
def attempt(awaitable):
    try:
        return asyncio.run(awaitable)
    except OSError as error:
        print(error)
attempt(resolve("localhost"))
attempt(connect("127.0.0.1", PORT))
join()
print(attempt(resolve("localhost")), socket.getaddrinfo("localhost", 1)[0][-1])
attempt(resolve("name.invalid"))
attempt(connect("127.0.0.1", CLOSED))
attempt(connect("127.0.0.999", PORT))
for host in ("127.0.0.1", "localhost"):
    sock = attempt(connect(host, PORT))
    print(no_delay(sock, True), no_delay(sock, False), sock.write(b"ping\\n"))
    while (line := sock.readline()) is None:
        time.sleep_ms(10)
    print(line, sock.readline())
    sock.close()
    print(no_delay(sock, True))
"""

PROGRAMS = {
    "machine": MACHINE,
    "pins": PINS,
    "queue": QUEUE,
    "i2c": I2C,
    "wifi": WIFI,
    "tcp": TCP,
    "names": NAMES,
}


class Bench:
    """A chip and an I2C target on one bed. Args: command(fd) -> command line of the chip's program."""

    def __init__(self, command, target_command):
        self.bed = Bed()
        board = self.bed.add_board("chip", "esp8266")
        self.target = self.bed.add_board("target", "pyboard")
        self._target_command = target_command
        self.lines = []
        self.ready = asyncio.Event()
        board.on_line = self.lines.append
        self.target.on_line = lambda line: self.ready.set()
        for name, pin, gpio in (("scl", "X9", "0"), ("sda", "X10", "2")):
            self.bed.wire(Net(name, pull_up=True), (self.target, pin), (board, gpio))
        self.bed.wire(Net("loop", pull_up=True), (board, "4"), (board, "5"))
        air = wifi.Air(wifi.Network("net", "pass"), assoc_s=0.05)
        self.chip = esp8266.Esp8266(
            self.bed, board, Net("rst", pull_up=True), command, air=air, boot_s=0, log=self._log
        )
        self.ended = asyncio.Event()
        self.status = None

    def _log(self, text):
        if "status" in text:
            self.status = int(text.split()[-1])
            self.ended.set()

    async def run(self):
        """Returns what the program printed until it ended, or waited for something that the test does."""
        await self.target.start(self._target_command)
        await asyncio.wait_for(self.ready.wait(), PATIENCE_S)
        self.chip.power_on()
        try:
            await asyncio.wait_for(self.ended.wait(), PATIENCE_S)
        finally:
            self.chip.power_off()
            self.bed.close()
            await self.bed.wait_closed()
        return self.lines


async def serve_echo(reader, writer):
    while line := await reader.readline():
        writer.write(line)
    writer.close()


@pytest.fixture
def on_chip(micropython64, micropython_bridge, tmp_path):
    """on_chip(text, c=True) -> (status, lines): runs a program with the modules in C, or with those in Python."""
    target = tmp_path / "target.py"
    target.write_text(TARGET)

    async def main(text, c):
        server = await asyncio.start_server(serve_echo, "127.0.0.1", 0)
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            ports = server.sockets[0].getsockname()[1], unused.getsockname()[1]
        program = tmp_path / "program.py"
        for name, value in (("PORT", ports[0]), ("CLOSED", ports[1]), ("ROOT", ROOT)):
            text = text.replace(name, str(value))
        program.write_text(text)

        def command(fd):
            if c:
                return interpreters.bridge_command(micropython_bridge, fd, module="program", folders=[tmp_path])
            return interpreters.board_command(micropython64, "esp8266", fd, program)

        bench = Bench(command, lambda fd: interpreters.board_command(micropython64, "pyboard", fd, target))
        async with server:
            return await bench.run(), bench.status

    return lambda text, c=True: asyncio.run(main(text, c))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_the_same_with_the_modules_in_python(on_chip, name):
    lines, status = on_chip(PROGRAMS[name])
    assert (lines, status) == on_chip(PROGRAMS[name], c=False)
    assert status == 0 and lines, lines


def test_the_modules_cost_no_heap(on_chip, report_line):
    text = """
import gc
gc.collect(), gc.collect()
before = gc.mem_free()
import machine, network, esp, socket
gc.collect()
print(before - gc.mem_free())
"""
    lines, _ = on_chip(text)
    report_line(f"heap of the simulated ESP8266's own modules: {lines[0]} bytes")
    assert int(lines[0]) <= 200


def test_an_interrupt_comes_between_two_bytecodes(on_chip):
    # Nothing here waits or calls the board after the edge, so only the interpreter itself can let it in.
    text = """
from machine import Pin, disable_irq, enable_irq
seen = []
out, pin = Pin(4, Pin.OUT, value=1), Pin(5, Pin.IN)
pin.irq(lambda pin: seen.append(1), Pin.IRQ_FALLING)
state = disable_irq()
out(0), out(1), out(0)
for _ in range(1000):
    pass
print(len(seen))
enable_irq(state)
while not seen:
    pass
print(len(seen))
"""
    assert on_chip(text) == (["0", "1"], 0)


def test_an_interrupt_does_not_cut_a_sleep_short(on_chip):
    text = """
import time
from machine import Pin
out, pin = Pin(4, Pin.OUT, value=1), Pin(5, Pin.IN)
times, rounds = [], 0
def again(pin):
    times.append(1)
    if len(times) % 50:
        out(1), out(0)
pin.irq(again, Pin.IRQ_FALLING)
for sleep in (lambda: time.sleep(0.1), lambda: time.sleep_ms(100), lambda: time.sleep_us(100000)):
    start = time.ticks_ms()
    out(1), out(0)
    sleep()
    took = time.ticks_diff(time.ticks_ms(), start)
    rounds += 50
    while len(times) < rounds:
        time.sleep_ms(1)
    print(100 <= took, len(times))
"""
    assert on_chip(text) == (["True 50", "True 100", "True 150"], 0)


def test_a_callback_that_fails_is_reported_and_the_program_goes_on(on_chip):
    text = """
import time
from machine import Pin
out, pin = Pin(4, Pin.OUT, value=1), Pin(5, Pin.IN)
called = []
def fail(pin):
    called.append(1)
    1 // 0
pin.irq(fail, Pin.IRQ_FALLING)
out(0)
while not called:
    time.sleep_ms(1)
print("on")
"""
    lines, status = on_chip(text)
    assert status == 0 and lines[-1] == "on" and lines[-2].startswith("ZeroDivisionError")


@pytest.mark.parametrize(
    "waiting", ["while True: pass", "time.sleep(60)", "asyncio.run(asyncio.ThreadSafeFlag().wait())", "pin()"]
)
def test_a_program_ends_when_the_wire_process_is_gone(micropython_bridge, tmp_path, waiting):
    async def main():
        (tmp_path / "program.py").write_text(
            f"import asyncio, time\nfrom machine import Pin\npin = Pin(5)\nprint('up')\n{waiting}\n"
        )
        ours, theirs = socket.socketpair()
        command = interpreters.bridge_command(micropython_bridge, theirs.fileno(), "program", folders=[tmp_path])
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, pass_fds=(theirs.fileno(),), stdout=pipe)
        theirs.close()
        await process.stdout.readline()
        await asyncio.sleep(0.05)
        ours.close()
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 3

    asyncio.run(main())
