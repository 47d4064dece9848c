"""The link and its ESP8266: how it is reset, and what happens when it never answers."""

import asyncio
import gc

import pytest

from i2c_devices.mailbox_controller import FREE
from i2c_devices.mailbox_target import CONNECTION_AT, KIND_AT
from pb_link import limits
from protocol import control, frame
from protocol.errors import LinkDown
from protocol.mailbox import CONTROL, DATA, HEADER
from tests.link.virtual import now_ms, run
from tests.pb_link.board import PULSE_MS, Board

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest and the virtual clock"


def pulse(resets):
    """(start, end) of the only pulse, after checking that the bus was free throughout."""
    (start, low, busy), (end, high, still_busy) = resets
    assert (low, high, busy, still_busy) == (0, 1, False, False)
    return start, end


def test_reboot_frees_the_bus_pulses_and_waits_for_the_boot_straps():
    async def main():
        async with Board() as board:
            await board.synchronise()
            assert board.bus.target is not None
            rebooting = asyncio.create_task(board.app.reboot())
            await board.pause(PULSE_MS // 2)
            assert board.rst.level == 0 and board.bus.target is None
            await asyncio.wait([rebooting], timeout=10)
            start, end = pulse(board.resets)
            assert end - start == PULSE_MS
            assert limits.STRAP_HOLD_MS <= now_ms() - end <= limits.STRAP_HOLD_MS + 20
            assert board.bus.target is not None

    run(main())


@pytest.mark.parametrize("after_ms", [1, PULSE_MS // 2, PULSE_MS + 100])
def test_link_that_begins_during_a_reset_leaves_the_bus_alone_until_the_boot_straps_are_sampled(after_ms):
    async def main():
        board = Board()
        board.power_bridge()
        rebooting = asyncio.create_task(board.app.reboot())
        await board.pause(after_ms)
        link = asyncio.create_task(board.app.await_msg())
        while not rebooting.done():
            assert board.bus.target is None
            await board.pause(5)
        start, end = pulse(board.resets)
        assert end - start == PULSE_MS and now_ms() - end >= limits.STRAP_HOLD_MS
        await board.synchronise()
        link.cancel()
        await asyncio.wait([link])

    run(main())


def test_bus_is_opened_as_soon_as_the_bridge_shows_itself():
    async def main():
        async with Board() as board:
            await board.synchronise()
            rebooting = asyncio.create_task(board.app.reboot())
            board.bridge_ack(0)  # the old program's last words are no sign of the new one
            board.bridge_ack(1)
            await board.pause(PULSE_MS + 300)
            assert board.bus.target is None
            board.power_bridge()
            board.bridge_ack(0)
            board.bridge_ack(1)
            await board.pause(50)
            assert board.bus.target is not None and rebooting.done()
            await board.synchronise()
            assert control.decode_config(await board.fetch())

    run(main())


def test_reboot_without_a_reset_wire_is_an_oserror():
    async def main():
        async with Board(rst=False) as board:
            with pytest.raises(OSError, match="^Cannot reset ESP8266.$"):
                await board.app.reboot()
            assert not board.link.done()

    run(main())


def test_two_reboots_at_once_are_one():
    async def main():
        async with Board() as board:
            await board.synchronise()
            await asyncio.gather(board.app.reboot(), board.app.reboot())
            pulse(board.resets)

    run(main())


async def close_in_a_task_of_its_own(app):
    async def close():
        app.close()

    await asyncio.create_task(close())


@pytest.mark.parametrize("after_ms", [0, 100, PULSE_MS + 100])
def test_cancelled_reboot_is_finished(after_ms):
    async def main():
        async with Board() as board:
            await board.synchronise()
            rebooting = asyncio.create_task(board.app.reboot())
            await board.pause(after_ms or 1)
            rebooting.cancel()
            await board.pause(3000)
            start, end = pulse(board.resets)
            assert end - start == PULSE_MS and board.bus.target is not None
            board.power_bridge()
            await board.synchronise()

    run(main())


@pytest.mark.filterwarnings("ignore:coroutine 'Link._reset' was never awaited")  # close() came before its first step
@pytest.mark.parametrize("rounds", [0, 1, 2, 50, 50 + PULSE_MS])
def test_close_in_the_middle_of_a_reset_leaves_the_pin_at_rest_and_the_bus_free(rounds):
    """rounds: of the event loop; they take a millisecond each, the first few none."""

    async def main():
        async with Board() as board:
            await board.synchronise()
            rebooting = asyncio.create_task(board.app.reboot())
            for i in range(rounds):
                await board.pause(0 if i < 2 else 1)
            await close_in_a_task_of_its_own(board.app)
            assert board.rst.level == 1 and board.bus.target is None
            await board.pause(5000)
            assert board.rst.level == 1 and board.bus.target is None
            assert board.link.done() and len(asyncio.all_tasks()) == 1
            assert isinstance(rebooting.exception(), LinkDown)

    run(main())
    gc.collect()  # so that the warning comes here


def test_silent_bridge_is_reset_after_three_missed_beats():
    async def main():
        async with Board() as board:
            await board.synchronise()
            await board.fetch()
            await board.beat(10000)
            last = now_ms()
            assert board.resets == []
            await board.pause(limits.BRIDGE_IDLE_MS + 600)
            start, _ = pulse(board.resets)
            assert start - last > 3000
            assert not board.app.status()

    run(main())


def test_edges_on_ack_alone_do_not_keep_a_stuck_bridge():
    async def main():
        async with Board() as board:
            await board.synchronise()
            for _ in range(30):
                await board.pause(200)
                board.bridge_ack(0)
                board.bridge_ack(1)
            assert board.resets

    run(main())


def test_bridge_that_never_answers_is_reset_at_a_falling_rate_with_a_clear_message(capsys):
    async def main():
        async with Board() as board:
            await board.pause(400000)
            starts = [when for when, level, _ in board.resets if level == 0]
            gaps = [(b - a) // 1000 for a, b in zip(starts, starts[1:], strict=False)]
            assert gaps == [12, 24, 48] + [60] * 5
            assert not any(busy for _, _, busy in board.resets)
            assert not board.link.done() and board.app.starts == 0

    run(main())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9
    assert all("does not answer" in line and "scl, sda, syn, ack, rst" in line for line in lines)
    assert [line.split()[-2] for line in lines[:5]] == ["12", "24", "48", "60", "60"]


def test_bridge_that_never_answers_is_reported_without_a_reset_wire(capsys):
    async def main():
        async with Board(rst=False) as board:
            await board.pause(60000)
            await board.synchronise()
            assert board.app.starts == 1

    run(main())
    assert "does not answer" in capsys.readouterr().out


def test_bridge_that_makes_progress_is_not_reset_though_all_events_are_lost():
    async def main():
        async with Board() as board:
            await board.synchronise()
            await board.fetch()
            board.bus.target.handler = None
            for _ in range(10):
                board.bridge.send(CONTROL, 0, HEADER, 1)
                await board.beat(1000)
                assert board.bridge.state == FREE
            assert board.resets == [] and board.app._link._watch.alive

    run(main())


def test_without_a_reset_wire_a_silent_bridge_is_asked_for_another_connection():
    async def main():
        async with Board(rst=False) as board:
            await board.synchronise()
            await board.fetch()
            await board.tell(bytes((control.UP, 3)))
            assert (await board.fetch())[2] == frame.HELLO
            await board.pause(3 * limits.BRIDGE_IDLE_MS)
            board.bridge.poll()
            assert board.bridge.status.drop == 3
            await board.tell(bytes((control.UP, 4)))
            assert (await board.fetch())[2] == frame.HELLO
            await board.pause()
            board.bridge.poll()
            assert board.bridge.status.drop == 0

    run(main())


def test_quiet_link_shows_a_beat_and_pulses_nothing():
    async def main():
        async with Board() as board:
            await board.synchronise()
            await board.fetch()
            await board.beat(2000)
            pulses, beats = board.pulses, set()
            for _ in range(10):
                await board.beat(1000)
                beats.add(board.bridge.status.beat)
            assert len(beats) == 10 and board.pulses == pulses

    run(main())


def test_line_that_waits_pulses_syn_again_and_again():
    async def main():
        async with Board() as board:
            await board.synchronise()
            pulses = board.pulses
            await board.pause(1000)  # nobody fetches the configuration
            assert 3 <= board.pulses - pulses <= 6

    run(main())


class FullConnection:
    """A connection of the server that always has a frame to send, and takes each."""

    def __init__(self, seen):
        self._seen = seen

    def encode_into(self, buf, at, now):
        self._seen.append("frame")
        return at + 30

    def fault(self, now):
        return None


@pytest.mark.parametrize("way", ["up", "down"])
def test_other_tasks_have_their_turn_after_each_frame(way):
    """An application was held for 30 ms at full speed, on a Pyboard, by as many frames as followed each other."""
    seen = []
    frames = [True] * 4

    async def application():
        while True:
            seen.append("turn")
            await asyncio.sleep(0)

    async def main():
        async with Board() as board:
            await board.synchronise()
            await board.fetch()
            link, box = board.app._link, board.app._link._box
            link.connection, link._number = FullConnection(seen), 1
            if way == "down":
                link.connection.encode_into = lambda buf, at, now: at
                box.received[KIND_AT], box.received[CONNECTION_AT] = DATA, 1
                box.fetch = lambda: bool(frames) and frames.pop()
                box.accept = lambda: None
                link._take_stream = lambda payload: seen.append("frame")
            task = asyncio.create_task(application())
            link.flag.set()
            for _ in range(50):
                await asyncio.sleep(0)
            task.cancel()

    run(main())
    assert seen.count("frame") == (2 if way == "up" else 4)  # both places of the mailbox, or all that came
    assert all("turn" in (before, after) for before, after in zip(seen, seen[1:], strict=False))


def test_flag_that_is_set_again_and_again_does_not_keep_the_application_waiting():
    """An edge that came during a step made the next step follow at once."""

    async def main():
        async with Board() as board:
            await board.synchronise()
            link, turns = board.app._link, []
            act, steps = link._act, []

            def act_and_be_woken():
                act()
                steps.append(len(turns))
                if len(steps) < 5:
                    link.flag.set()

            link._act = act_and_be_woken
            link.flag.set()
            while len(steps) < 5:
                turns.append(1)
                await asyncio.sleep(0)
            assert steps == sorted(set(steps))  # there was a turn between any two of them

    run(main())
