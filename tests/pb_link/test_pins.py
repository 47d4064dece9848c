"""The client's pins: the link sets their modes, and takes each for one line only."""

import asyncio
import json
import runpy
import sys
import types

import pytest

from i2c_devices.ports import TargetPort
from pb_link.selftest import WIRES, SelfTest
from protocol.errors import LinkDown
from tests.link.harness import Pin
from tests.link.virtual import run
from tests.pb_link.board import CONFIG, PULSE_MS, App, Board

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest and the virtual clock"


def at_rest(board):
    """Checks that the modes and levels are those of docs/hardware.md."""
    assert (board.syn.mode, board.syn.level) == (Pin.OUT, 1)
    assert (board.ack.mode, board.ack.pull) == (Pin.IN, Pin.PULL_UP)
    assert (board.rst.mode, board.rst.pull) == (Pin.IN, Pin.PULL_UP)


@pytest.mark.parametrize("mode", [None, Pin.IN, Pin.OUT])
def test_modes_of_the_pins_are_set_by_the_link_whatever_they_were(mode):
    async def main():
        board = Board()
        for pin in (board.syn, board.ack, board.rst):
            pin.mode = mode
        async with board:
            at_rest(board)
            await board.synchronise()
            pulses = board.pulses
            await board.app.reboot()
            assert [level for _, level, _ in board.resets] == [0, 1]
            await board.synchronise()
            await board.pause(500)
            assert board.pulses > pulses
            at_rest(board)

    run(main())


def test_esp8266_that_is_reset_before_the_link_runs_is_reset():
    async def main():
        board = Board()
        rebooting = asyncio.create_task(board.app.reboot())
        await board.pause(PULSE_MS // 2)
        assert (board.rst.mode, board.rst.level) == (Pin.OUT, 0)
        async with board:  # the pulse goes on
            assert board.rst.level == 0
            await rebooting
            (start, _, _), (end, _, _) = board.resets
            assert end - start == PULSE_MS
            at_rest(board)

    run(main())


def test_reset_that_is_active_high_is_an_output_that_rests_low():
    async def main():
        board = Board()
        board.app._link._rst = (board.rst, 1, PULSE_MS)
        async with board:
            assert (board.rst.mode, board.rst.level) == (Pin.OUT, 0)
            await board.synchronise()
            await board.app.reboot()
            assert [level for _, level, _ in board.resets] == [0, 1, 0]

    run(main())


def test_close_leaves_reset_to_its_pull_up_and_syn_high():
    async def main():
        async with Board() as board:
            await board.synchronise()
            rebooting = asyncio.create_task(board.app.reboot())
            await board.pause(PULSE_MS // 2)
            board.app.close()
            with pytest.raises(LinkDown):
                await rebooting
            assert (board.rst.mode, board.syn.level, board.ack.handler) == (Pin.IN, 1, None)

    run(main())


def test_pin_that_cannot_be_what_the_link_needs_ends_the_waiting_calls_too():
    def init(*_, **__):
        raise ValueError("pin can only be input")

    async def main():
        board = Board()
        board.syn.init = init
        waiting = asyncio.create_task(board.app.readline())
        with pytest.raises(ValueError, match="only be input"):
            await board.app.await_msg()
        with pytest.raises(LinkDown):
            async with asyncio.timeout(1):
                await waiting

    run(main())


class SamdPin(Pin):
    """As of samd: init(OPEN_DRAIN) makes it an input, whatever its value."""

    OPEN_DRAIN = 3

    def __init__(self, name):
        super().__init__()

    def init(self, mode, pull=None, *, value=None):
        super().init(self.IN if mode == self.OPEN_DRAIN else mode, pull, value=value)


def test_self_test_pulls_wires_low_where_an_open_drain_does_not():
    test = SelfTest(SamdPin, {name: name for name in WIRES}, None)
    for pin in test._pins.values():
        test._release()
        assert (pin.mode, pin.pull, pin.level) == (Pin.IN, Pin.PULL_UP, 1)
    for name, pin in test._pins.items():
        test._low(name)
        assert (pin.mode, pin.level) == (Pin.OUT, 0)


# One pin, two lines


class NamedPin(Pin):
    """As on a port that makes a new object for the same pin each time."""

    def __init__(self, name, *args):
        super().__init__()
        self.name = name

    def __repr__(self):
        return f"Pin({self.name})"


NAMES = ("scl", "sda", "syn", "ack", "rst")
PAIRS = [(a, b) for i, a in enumerate(NAMES) for b in NAMES[i + 1 :]]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("wrap", [False, True])
def test_pin_of_two_lines_is_refused_by_both_names(pair, wrap):
    pins = {name: NamedPin(name) for name in NAMES}
    pins[pair[1]] = NamedPin(pair[0]) if wrap else pins[pair[0]]
    port = TargetPort(None, 0, scl=pins["scl"], sda=pins["sda"])
    with pytest.raises(ValueError, match=f"{pair[0]} and {pair[1]} are both Pin.{pair[0]}"):
        App("a", CONFIG, [port, pins["syn"], pins["ack"], (pins["rst"], 0, 200)])


def test_pins_of_the_pyboards_ports_are_known():
    for name, line in (("X9", "scl"), ("X10", "sda")):
        with pytest.raises(ValueError, match=f"{line} and ack"):
            App("a", CONFIG, [TargetPort(None, "X"), NamedPin("X11"), NamedPin(name), None])
    App("a", CONFIG, [TargetPort(None, "Y"), NamedPin("X9"), NamedPin("X10"), None])


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """configured(pins) -> the names of pb_link/config.py with these pins in pb_settings.json."""
    monkeypatch.chdir(tmp_path)
    machine = types.SimpleNamespace(I2CTarget=None, Pin=lambda id: NamedPin(str(id).replace("GP", "")))
    monkeypatch.setitem(sys.modules, "machine", machine)

    def names(pins):
        (tmp_path / "pb_settings.json").write_text(json.dumps({"key": "ab" * 32, "pins": pins}))
        return runpy.run_module("pb_link.config")

    return names


PICO = {"i2c": 0, "scl": 1, "sda": 0, "syn": 2, "ack": 3, "rst": 4}


@pytest.mark.parametrize("pair", PAIRS)
def test_pin_of_two_lines_is_refused_in_the_settings_too(configured, pair):
    with pytest.raises(ValueError, match=f"{pair[0]} and {pair[1]} are both"):
        configured({**PICO, pair[1]: f"GP{PICO[pair[0]]}"})


def test_settings_of_pins_that_are_all_different_are_taken(configured):
    names = configured(PICO)
    assert [pin.name for pin in (names["syn"], names["ack"], names["rst"][0])] == ["2", "3", "4"]
    assert [pin.mode for pin in (names["syn"], names["ack"], names["rst"][0])] == [None] * 3  # the link's business
    assert configured({**PICO, "rst": None})["rst"] is None
    assert [name for name, _ in names["i2c"].lines(None)] == ["scl", "sda"]
