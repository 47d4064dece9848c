"""AppBase: construction, hooks, and what becomes of calls when the link ends."""

import asyncio
import os

import pytest

from i2c_devices.ports import TargetPort
from pb_link import app_base, start
from pb_link.app_base import AppBase
from protocol import control
from protocol.errors import LinkDown
from tests.link.harness import Pin
from tests.link.virtual import run
from tests.pb_link.board import CONFIG, KEY, App, Board
from tests.sessions import idle

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest and the virtual clock"

PORT = TargetPort(None)
HARDWARE = [PORT, Pin(), Pin(), (Pin(), 0, 200)]


def hardware(**changes):
    names = ("i2c", "syn", "ack", "rst")
    return [changes.get(name, good) for name, good in zip(names, HARDWARE, strict=True)]


# Construction


@pytest.mark.parametrize("rst", [None, (Pin(), 0, 200), [Pin(), 1, 1]])
def test_hardware_with_and_without_a_reset_wire(rst):
    App("a\n", CONFIG, hardware(rst=rst))


def test_start_that_is_forgotten_and_one_that_is_half_loaded_are_the_same_modules():
    assert app_base._START.split() == list(start._MODULES)


def test_board_without_a_generator_is_told_so_in_words(monkeypatch):
    monkeypatch.delattr(os, "urandom")
    with pytest.raises(RuntimeError, match="no os.urandom.*docs/hardware.md"):
        App("a", CONFIG, HARDWARE)


BAD_HARDWARE = [
    ("hardware", None),
    ("hardware", []),
    ("hardware", HARDWARE[:3]),
    ("hardware", {"i2c": PORT}),
    ("i2c", hardware(i2c=None)),
    ("i2c", hardware(i2c=Pin())),
    ("syn", hardware(syn=None)),
    ("syn", hardware(syn="X11")),
    ("ack", hardware(ack=4)),
    ("rst", hardware(rst=Pin())),
    ("rst", hardware(rst=(Pin(), 0))),
    ("rst", hardware(rst=(None, 0, 200))),
    ("level", hardware(rst=(Pin(), 2, 200))),
    ("pulse", hardware(rst=(Pin(), 0, 0))),
    ("pulse", hardware(rst=(Pin(), 0, "200"))),
    ("pulse", hardware(rst=(Pin(), 0, 10001))),
]


@pytest.mark.parametrize(("name", "found"), BAD_HARDWARE, ids=range(len(BAD_HARDWARE)))
def test_bad_hardware_is_an_error_that_names_it(name, found):
    with pytest.raises((TypeError, ValueError), match=name):
        App("a", CONFIG, found)


@pytest.mark.parametrize("conn_id", ["", "\n", "a\nb", "x" * 65, None, b"a"])
def test_bad_id_is_an_error(conn_id):
    with pytest.raises((TypeError, ValueError), match="id"):
        App(conn_id, CONFIG, HARDWARE)


def test_client_without_a_key_is_an_error():
    with pytest.raises(ValueError, match="key"):
        App("a", CONFIG[:6], HARDWARE)
    with pytest.raises(ValueError, match="key"):
        App("a", CONFIG[:6] + (None,), HARDWARE)


def test_construction_touches_no_hardware():
    pins = [Pin() for _ in range(3)]
    App("a", CONFIG, [PORT, pins[0], pins[1], (pins[2], 0, 200)])
    assert all(pin.history == [] and pin.handler is None for pin in pins)


def test_subclass_without_start_is_told():
    with pytest.raises(NotImplementedError, match="start"):
        AppBase("a", CONFIG, HARDWARE).start()


def test_nothing_secret_is_shown(capsys):
    async def main():
        async with Board(verbose=True) as board:
            await board.synchronise()
            await board.fetch()
            await board.tell(bytes((control.UP, 1)))
            link = board.app._link
            connection = link.connection
            await board.pause(2000)
            things = (board.app, link, link.session, connection, connection._initiator, vars(board.app))
            return "".join(repr(thing) for thing in things)

    seen = run(main()) + "".join(capsys.readouterr())
    for secret in (KEY.hex()[:16], repr(KEY)[2:20], "secret password"):
        assert secret not in seen


def test_line_longer_than_the_server_takes_is_an_error():
    async def main():
        async with Board() as board:
            board.app._link.session.peer_max_line = 500
            for qos in (True, False):
                with pytest.raises(ValueError, match="501 bytes, the longest is 500"):
                    await board.app.write("x" * 501, qos)
            assert idle(board.app._link.session)

    run(main())


def test_what_start_raises_comes_out_of_await_msg_and_memory_that_runs_out_in_a_hook_does_not(capsys):
    class Short(App):
        async def report(self, data):
            raise MemoryError

    class Failing(App):
        def start(self):
            raise MemoryError("of the application")

    async def main():
        async with Board(Short) as board:
            await board.synchronise()
            board.app._link.notifier.report([1, 2, 3])
            await board.pause(1000)
            assert not board.link.done()
        assert "out of memory in a hook" in capsys.readouterr().out
        async with Board(Failing) as board:
            await board.synchronise()
            await asyncio.wait([board.link], timeout=5)
            assert str(board.link.exception()) == "of the application"

    run(main())


# Hooks


def test_start_is_called_once_when_first_synchronised():
    async def main():
        async with Board() as board:
            await board.pause(500)
            assert board.app.starts == 0
            await board.synchronise()
            assert board.app.starts == 1
            for _ in range(3):
                board.power_bridge()
                await board.synchronise()
            assert board.app.starts == 1

    run(main())


def test_configuration_goes_to_each_life_of_the_bridge_and_holds_no_key():
    async def main():
        async with Board() as board:
            for _ in range(2):
                board.power_bridge()
                await board.synchronise()
                record = await board.fetch()
                assert control.decode_config(record) == (8123, "server", 1500, 10, "net", "secret password")
                assert KEY[:8] not in record

    run(main())


@pytest.mark.parametrize(
    ("record", "name", "message"),
    [(control.BAD_WIFI, "bad_wifi", "No initial WiFi"), (control.BAD_SERVER, "bad_server", "No initial server")],
)
def test_initial_failure_comes_out_of_await_msg(record, name, message):
    class Strict(App):
        ends = ("bad_wifi", "bad_server")

    async def main():
        async with Board(Strict) as board:
            await board.synchronise()
            await board.tell(bytes((record,)))
            await asyncio.wait([board.link], timeout=5)
            with pytest.raises(OSError, match=message):
                board.link.result()
            assert board.bus.target is None and not board.app.status()

    run(main())


def test_overridden_hooks_let_the_link_go_on_and_are_called_once():
    async def main():
        async with Board() as board:
            await board.synchronise()
            for kind in (control.BAD_WIFI, control.BAD_SERVER) * 2:
                await board.tell(bytes((kind,)))
            await board.beat(3000)
            assert board.app.calls == ["bad_wifi", "bad_server"] and not board.link.done()

    run(main())


def test_report_is_a_list_of_three():
    async def main():
        async with Board() as board:
            await board.synchronise()
            record = bytearray(control.REPORT_BYTES)
            control.encode_report_into(record, 0, 3, 7, 25000, 2)
            await board.tell(record)
            await board.pause()
            assert board.app.calls == [[3, 7, 25000]]
            assert board.app.fallbacks() == [0, 2]  # a figure that came later, and is no part of the list

    run(main())


def test_hook_that_waits_for_the_link_costs_one_task():
    class Writing(App):
        async def report(self, data):
            await self.write(str(data))

    async def main():
        async with Board(Writing) as board:
            await board.synchronise()
            await board.fetch()
            tasks = len(asyncio.all_tasks())
            for number in range(50):
                record = bytearray(control.REPORT_BYTES)
                control.encode_report_into(record, 0, 1, number, 25000, 0)
                await board.tell(record)
            assert len(asyncio.all_tasks()) == tasks + 1

    run(main())


def test_reports_and_server_ok_print_by_default(capsys):
    class Plain(AppBase):
        def start(self):
            pass

    async def main():
        app = Plain("a", CONFIG, HARDWARE)
        await app.report([1, 2, 3])
        await app.server_ok(True)
        await app.server_ok(False)

    run(main())
    assert capsys.readouterr().out == "Connects 1 Count 2 Mem free 3\nServer is up\nServer is down\n"


def test_exception_of_a_hook_comes_out_of_await_msg():
    class Broken(App):
        async def report(self, data):
            raise RuntimeError("in the hook")

    async def main():
        async with Board(Broken) as board:
            await board.synchronise()
            record = bytearray(control.REPORT_BYTES)
            control.encode_report_into(record, 0, 0, 0, 0, 0)
            await board.tell(record)
            await asyncio.wait([board.link], timeout=5)
            with pytest.raises(RuntimeError, match="in the hook"):
                board.link.result()

    run(main())


@pytest.mark.parametrize(
    "record", [b"\x02", b"\x03", b"\x02\x00", b"\x03\x00", b"\x06", b"\x06" + bytes(11), b"\xff", b"\x01", b"\x00" * 20]
)
def test_malformed_record_of_the_bridge_ends_nothing(record):
    async def main():
        async with Board() as board:
            await board.synchronise()
            await board.tell(record)
            await board.beat(2000)
            assert not board.link.done() and board.app.calls == []

    run(main())


# Lines without a bridge


def test_write_without_wait_returns_while_there_is_room_and_then_waits():
    async def main():
        async with Board() as board:
            written = []

            async def writer():
                for i in range(1000):
                    await board.app.write(str(i), wait=False)
                    written.append(i)

            task = asyncio.create_task(writer())
            await board.pause(1000)
            assert 10 < len(written) < 1000 and not task.done()
            task.cancel()

    run(main())


def test_line_of_qos_0_is_dropped_while_the_link_is_down():
    async def main():
        async with Board() as board:
            for i in range(1000):
                await board.app.write(str(i), qos=False)
            assert idle(board.app._link.session)

    run(main())


async def blocked(app):
    """Fill the window. Returns the task of a write with qos that waits for room."""

    async def writer():
        for i in range(1000):
            await app.write(str(i), wait=False)

    task = asyncio.create_task(writer())
    await asyncio.sleep(1)
    assert not task.done()
    return task


def test_line_of_qos_0_waits_for_nobody_while_the_link_is_down():
    async def main():
        async with Board() as board:
            task = await blocked(board.app)
            await asyncio.wait_for(board.app.write("measurement", qos=False), 0.1)
            assert not task.done()

    run(main())


@pytest.mark.parametrize("first", [True, False], ids=["first in the queue", "behind another"])
def test_line_of_qos_0_that_waits_is_dropped_when_the_link_goes_down(first):
    async def main():
        async with Board() as board:
            link = board.app._link
            task = await blocked(board.app)
            if first:
                task.cancel()
            link._set_up(True)
            waiting = asyncio.create_task(board.app.write("measurement", qos=False))
            await board.pause(1000)
            assert not waiting.done()
            link._lose_connection()
            await board.pause()
            assert waiting.done()

    run(main())


def test_calls_keep_their_order_among_tasks_and_a_cancelled_one_leaves_no_gap():
    async def main():
        async with Board() as board:
            session, places, taken = board.app._link.session, 0, []
            session.room_for = lambda size: len(taken) < places
            session.append = lambda data, numbered: taken.append(data)
            calls = [asyncio.create_task(board.app.write("call %d" % i, wait=False)) for i in range(10)]
            await board.pause()
            for i in (0, 4, 9):
                calls[i].cancel()
            await board.pause()
            assert sum(call.done() for call in calls) == 3
            while places < 10:  # as if the server took lines
                places += 1
                board.app._link.changed.pulse()
                await board.pause()
                assert len(taken) == min(places, 7)
            assert taken == [b"call %d" % i for i in (1, 2, 3, 5, 6, 7, 8)]
            assert all(call.done() for call in calls) and board.app._line_writers == []

    run(main())


def test_bad_line_is_an_error():
    async def main():
        async with Board() as board:
            for line in ("a\nb", "x" * 8193):
                with pytest.raises(ValueError):
                    await board.app.write(line)
            with pytest.raises(TypeError):
                await board.app.write(b"bytes")
            assert idle(board.app._link.session)

    run(main())


# The end


def test_close_frees_everything_and_pending_calls_raise():
    async def main():
        async with Board() as board:
            await board.synchronise()
            calls = [
                asyncio.create_task(call)
                for call in (board.app.readline(), board.app.readline(), board.app.write("x"), board.app.write("y"))
            ]
            await board.pause(100)
            board.app.close()
            await asyncio.wait([*calls, board.link], timeout=5)
            assert all(isinstance(call.exception(), LinkDown) for call in calls)
            assert board.link.done() and board.link.exception() is None
            assert board.bus.target is None and board.ack.handler is None and board.syn.level == 1
            assert len(asyncio.all_tasks()) == 1
            board.app.close()
            for call in (board.app.readline(), board.app.write("z"), board.app.await_msg(), board.app.reboot()):
                with pytest.raises(LinkDown):
                    await call

    run(main())


def test_cancelled_await_msg_frees_everything():
    async def main():
        async with Board() as board:
            reading = asyncio.create_task(board.app.readline())
            await board.synchronise()
            board.link.cancel()
            await asyncio.wait([board.link, reading], timeout=5)
            assert isinstance(reading.exception(), LinkDown)
            assert board.bus.target is None and board.ack.handler is None

    run(main())
