"""sim/mpy/esp8266: power, reset pin, boot straps, watchdog, Wi-Fi and TCP of a virtual ESP8266, with small programs."""

import asyncio

import pytest

from sim.mpy import esp8266, frames, interpreters
from sim.mpy.bed import Bed
from sim.wires import wifi
from sim.wires.chip import HELD, STRAPPED
from sim.wires.nets import Net
from tests.patience import PATIENCE_S


class Chip:
    """An ESP8266 with a program; `lines` is what it printed."""

    def __init__(self, interpreter, program, air=None):
        self.bed = Bed()
        board = self.bed.add_board("chip", "esp8266")
        self.lines = []
        board.on_line = self.lines.append
        self.rst, self.scl, self.sda = (Net(name, pull_up=True) for name in ("rst", "scl", "sda"))
        self.bed.wire(self.scl, (board, "0"))
        self.bed.wire(self.sda, (board, "2"))
        self.log = []
        self.chip = esp8266.Esp8266(
            self.bed,
            board,
            self.rst,
            lambda fd: interpreters.board_command(interpreter, "esp8266", fd, program),
            air=air or wifi.Air(assoc_s=0.1),
            boot_s=0.05,
            log=self.log.append,
        )

    async def __aenter__(self):
        self.chip.power_on()
        return self

    async def __aexit__(self, *_):
        self.chip.power_off()
        await self.bed.wait_closed()

    async def until(self, condition):
        while not condition():
            await asyncio.sleep(0.01)

    async def printed(self, count):
        await self.until(lambda: len(self.lines) >= count)
        return self.lines

    async def pulse_reset(self):
        self.rst.drive("test", 0)
        await asyncio.sleep(0.05)
        self.rst.drive("test", None)


@pytest.fixture
def with_chip(micropython64, tmp_path):
    """with_chip(program text, test) runs the coroutine function test(chip) while the chip is powered."""

    def run(text, test, **kwargs):
        program = tmp_path / "program.py"
        program.write_text(text)

        async def main():
            async with Chip(micropython64, program, **kwargs) as chip:
                await asyncio.wait_for(test(chip), PATIENCE_S)

        asyncio.run(main())

    return run


TICK_S, FEEDS, ATTEMPTS = 0.8, 20, 20
SAY_CAUSE = "import machine, time\nprint(machine.reset_cause())\n"
STAY = "while True:\n    time.sleep(1)\n"


def test_the_reset_pin_ends_the_program_and_starts_it_again(with_chip):
    async def test(chip):
        assert await chip.printed(1) == ["0"]
        chip.rst.drive("test", 0)
        assert chip.chip.state == HELD and not chip.chip.board.alive
        await asyncio.sleep(0.2)
        assert chip.lines == ["0"]
        chip.rst.drive("test", None)
        assert await chip.printed(2) == ["0", "6"]
        assert (chip.chip.resets, chip.chip.resets_by_pin) == (1, 1)

    with_chip(SAY_CAUSE + STAY, test)


@pytest.mark.parametrize("strap", ["scl", "sda"])
def test_it_does_not_boot_with_a_strap_low_until_the_next_reset(with_chip, strap):
    async def test(chip):
        await chip.printed(1)
        net = getattr(chip, strap)
        net.drive("test", 0)
        await chip.pulse_reset()
        assert chip.chip.state == STRAPPED and chip.chip.strapped == 1
        net.drive("test", None)
        await asyncio.sleep(0.2)
        assert len(chip.lines) == 1
        await chip.pulse_reset()
        await chip.printed(2)

    with_chip(SAY_CAUSE + STAY, test)


def test_a_dead_chip_holds_no_pin(with_chip):
    async def test(chip):
        await chip.until(lambda: chip.scl.level == 0)
        chip.chip.power_off()
        assert chip.scl.level == 1

    with_chip("import machine, time\nmachine.Pin(0, machine.Pin.OPEN_DRAIN, value=0)\n" + STAY, test)


@pytest.mark.parametrize("end", ["machine.reset()", "1 / 0", "raise SystemExit"])
def test_whatever_ends_the_program_starts_it_again(with_chip, end):
    async def test(chip):
        await chip.until(lambda: chip.lines.count("4") >= 2)

    with_chip(SAY_CAUSE + end, test)


def test_a_crash_starts_it_again(with_chip):
    async def test(chip):
        await chip.printed(1)
        chip.chip.crash()
        assert await chip.printed(2) == ["0", "0"] and chip.chip.resets == 1

    with_chip(SAY_CAUSE + STAY, test)


def test_the_watchdog_bites_a_program_that_hangs_and_not_one_that_feeds_it(with_chip, monkeypatch):
    monkeypatch.setattr(esp8266, "WATCHDOG_TICK_S", TICK_S)
    attempts = []

    async def test(chip):
        now = asyncio.get_running_loop().time
        fed, feed = [], chip.chip.board.extras[frames.WATCHDOG]

        def fed_at(frame):
            fed.append(now())
            feed(frame)

        chip.chip.board.extras[frames.WATCHDOG] = fed_at
        await chip.until(lambda: "1" in chip.lines)
        fed.append(now())
        stopped_s = max(later - earlier for earlier, later in zip(fed[:FEEDS], fed[1:]))
        attempts.append((stopped_s, chip.lines[:2]))

    feeding = "w = machine.WDT()\nfor _ in range(FEEDS):\n    time.sleep(0.1)\n    w.feed()\nprint('fed')\n"
    # Only a program that the machine has stopped between two feeds may be bitten before it has fed: then again.
    while not attempts or attempts[-1][0] >= TICK_S and len(attempts) < ATTEMPTS:
        with_chip(SAY_CAUSE + feeding.replace("FEEDS", str(FEEDS)) + "while True:\n    pass\n", test)
    assert attempts[-1][1] == ["0", "fed"], attempts


JOIN = """
import network, time
ap = network.WLAN(network.AP_IF)
ap.active(False)
w = network.WLAN(network.STA_IF)
w.active(True)
print(w.isconnected(), w.status() == network.STAT_IDLE)
w.connect("net", "word")
print(w.status() == network.STAT_CONNECTING, w.ifconfig()[0])
while not w.isconnected():
    time.sleep_ms(10)
print(w.status() == network.STAT_GOT_IP, w.ifconfig()[0] != "0.0.0.0")
"""


def test_wifi_is_joined_lost_and_joined_again(with_chip):
    async def test(chip):
        await chip.printed(2)
        chip.chip.air.assoc_s = 0.1  # not before the program has seen that it takes time
        await chip.printed(4)
        assert chip.lines == ["False True", "True 0.0.0.0", "True True", "watching"]
        chip.chip.set_wifi(False)
        await chip.until(lambda: "lost" in chip.lines)
        chip.chip.set_wifi(True)
        await chip.until(lambda: "back" in chip.lines)

    watch = "print('watching')\nwhile w.isconnected():\n    time.sleep_ms(10)\nprint('lost')\n"
    watch += "while not w.isconnected():\n    time.sleep_ms(10)\nprint('back')\n" + STAY
    with_chip(JOIN + watch, test, air=wifi.Air(assoc_s=1000))


def test_a_wrong_password_is_told(with_chip):
    async def test(chip):
        assert (await chip.printed(1))[0] == "wrong"

    text = "import network, time\nw = network.WLAN()\nw.active(True)\nw.connect('net', 'bird')\n"
    text += "while w.status() == network.STAT_CONNECTING:\n    time.sleep_ms(10)\n"
    text += "print('wrong' if w.status() == network.STAT_WRONG_PASSWORD else w.status())\n" + STAY
    with_chip(text, test, air=wifi.Air(wifi.Network("net", "word"), assoc_s=0.1))


def test_streams_of_asyncio_work_unchanged(with_chip):
    async def echo(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def test(chip):
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        chip.chip.tcp.server = ("127.0.0.1", port)
        await chip.printed(6)
        assert chip.lines[0] == "113" and chip.lines[4:] == ["b'hello\\n'", "b''"]
        server.close()

    stream = """
import asyncio
async def main():
    r, w = await asyncio.open_connection("server.example", 9)
    w.write(b"hello\\n")
    await w.drain()
    print(await r.readline())
    print(await r.read(1))
    w.close()
    await w.wait_closed()
asyncio.run(main())
"""
    early = "import asyncio\ntry:\n    asyncio.run(asyncio.open_connection('192.168.4.7', 9))\n"
    early += "except OSError as e:\n    print(e.errno)\n"
    with_chip(early + JOIN + stream + STAY, test)


def test_its_free_heap_can_be_measured(with_chip):
    async def test(chip):
        await chip.printed(1)
        assert await chip.chip.board.measure() > 1000

    with_chip(SAY_CAUSE + STAY, test)


STANDS_STILL = {
    "a name that nobody resolves": "socket.getaddrinfo('server.example', 9)\n",
    "a write without memory": "s = socket.socket()\ns.connect(('192.168.4.7', 9))\ns.setblocking(False)\nw.feed()\n"
    "s.write(b'a')\n",
}


@pytest.mark.parametrize("what", STANDS_STILL)
def test_watchdog_bites_a_program_that_stands_still_in_lwip(with_chip, monkeypatch, what):
    monkeypatch.setattr(esp8266, "WATCHDOG_TICK_S", 0.4)

    async def test(chip):
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        chip.chip.tcp.server = server.sockets[0].getsockname()[:2]
        chip.chip.tcp.no_memory = True
        chip.chip.tcp.answers_names = False
        await chip.until(lambda: "1" in chip.lines)
        assert chip.log == ["watchdog reset"] and "went on" not in chip.lines
        server.close()

    still = "import socket, machine\nwatchdog = machine.WDT()\n" + STANDS_STILL[what].replace("w.feed", "watchdog.feed")
    with_chip(SAY_CAUSE + JOIN + still + "print('went on')\n" + STAY, test)
