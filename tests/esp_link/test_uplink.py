"""The connection to the server: keepalives, time-outs, and chunks that fit a transfer."""

import asyncio
import random

import pytest

from esp_link.uplink import Uplink
from primitives.countdowns import Countdowns
from primitives.supervisor import Supervisor
from protocol.framing import KEEPALIVE, PREAMBLE
from protocol.mailbox import HEADER, PAYLOAD
from tests.esp_link.bench import FakeTcp
from tests.link.virtual import now_ms, run

TIMEOUT_MS = 1500

pytestmark = pytest.mark.filterwarnings("error")


class Rig:
    """An Uplink, its socket, and the housekeeping that ticks it."""

    def __init__(self):
        self.socket = FakeTcp()
        self.answer = "accept"
        self.tasks = Supervisor()
        self.times = Countdowns(2)
        self.started = []
        self.uplink = Uplink(self._connect, lambda: None, self._start, self.times)
        self.client_present = True
        self.buffer = bytearray(HEADER + PAYLOAD)

    def _start(self, coroutine):
        task = self.tasks.start(coroutine)
        self.started.append((task, coroutine))
        return task

    async def _connect(self, host, port):
        if self.answer == "refuse":
            raise OSError(111)
        if self.answer == "hang":
            await asyncio.Event().wait()
        return self.socket

    async def __aenter__(self):
        self.ticking = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *error):
        self.ticking.cancel()
        assert self.tasks.fault is None
        await asyncio.sleep(0)  # what was cancelled ends
        for task, coroutine in self.started:
            if task.cancelled():  # perhaps before its first step: then CPython warns, unless it is closed
                coroutine.close()

    async def _tick(self):
        while True:
            await asyncio.sleep(0.05)
            self.times.tick()
            self.uplink.tick(self.client_present)

    async def serve(self):
        """Open and serve; returns the task."""
        await self.uplink.open("server", 8123)
        task = asyncio.create_task(self.uplink.serve(TIMEOUT_MS))
        await asyncio.sleep(0.001)
        return task

    def read(self):
        """What the mailbox would be given."""
        start, length = self.uplink.read(self.buffer, memoryview(self.buffer), HEADER, len(self.buffer))
        assert HEADER <= start <= HEADER + 1 and length <= PAYLOAD
        return bytes(self.buffer[start : start + length])


def test_preamble_comes_first_and_keepalives_follow():
    async def main():
        async with Rig() as rig:
            await rig.serve()
            for _ in range(40):
                rig.socket.feed(KEEPALIVE)
                await asyncio.sleep(0.1)
                rig.read()
            assert rig.socket.sent[:4] == PREAMBLE
            keepalives = rig.socket.sent[4:]
            assert set(keepalives) == {0} and 8 <= len(keepalives) // 2 <= 11
            assert rig.uplink.up

    run(main())


def test_keepalive_never_cuts_a_frame_in_two():
    async def main():
        async with Rig() as rig:
            await rig.serve()
            rig.uplink.write(b"\0\6abc", False)
            sent = len(rig.socket.sent)
            for _ in range(20):
                rig.socket.feed(KEEPALIVE)
                await asyncio.sleep(0.1)
                rig.read()
            assert len(rig.socket.sent) == sent
            rig.uplink.write(b"def", True)
            await asyncio.sleep(0.1)
            assert rig.socket.sent[sent:].startswith(b"def" + KEEPALIVE)

    run(main())


def test_silent_server_is_given_up_and_the_socket_closed():
    async def main():
        async with Rig() as rig:
            serving = await rig.serve()
            begun = now_ms()
            await serving
            assert TIMEOUT_MS - 10 <= now_ms() - begun <= TIMEOUT_MS + 100
            assert rig.socket.closed and not rig.uplink.up

    run(main())


def test_silent_client_ends_the_connection():
    async def main():
        async with Rig() as rig:
            serving = await rig.serve()
            rig.client_present = False
            begun = now_ms()
            await serving
            assert now_ms() - begun <= 100 and rig.socket.closed

    run(main())


@pytest.mark.parametrize("how", ["end", "reset", "framing", "asked", "cancelled", "reset while writing"])
def test_connection_that_ends_leaves_no_socket_and_no_task(how):
    async def main():
        async with Rig() as rig:
            serving = await rig.serve()
            socket = rig.socket
            if how == "end":
                socket.end()
            elif how == "reset":
                socket.reset()
            elif how == "framing":
                socket.feed(b"\xff\xff")
            elif how == "asked":
                rig.uplink.end()
            elif how == "cancelled":
                serving.cancel()
            else:
                socket.drain(3)
                rig.uplink.write(b"\0\7abcdefg", True)
                socket.reset()
            await asyncio.sleep(0.01)
            if rig.uplink.readable:
                assert rig.read() == b""
            await asyncio.wait([serving], timeout=1)
            await asyncio.sleep(0.01)
            assert socket.closed and not (rig.uplink.up or rig.uplink.readable or rig.uplink.writing)
            assert len(asyncio.all_tasks()) == 2  # this one, and the housekeeping
            rig.socket = FakeTcp()
            await rig.serve()
            assert rig.uplink.up and rig.socket.sent == PREAMBLE and rig.uplink.number == 2

    run(main())


def test_connection_that_does_not_open_is_given_up():
    async def main():
        async with Rig() as rig:
            rig.answer = "hang"
            begun = now_ms()
            with pytest.raises(OSError, match="does not answer"):
                await rig.uplink.open("server", 8123)
            assert 8000 <= now_ms() - begun <= 8100
            rig.answer = "accept"
            await rig.serve()
            assert rig.uplink.up and rig.uplink.number == 1

    run(main())


def test_task_that_is_cancelled_while_it_connects_is_cancelled():
    async def main():
        async with Rig() as rig:
            rig.answer = "hang"
            opening = asyncio.create_task(rig.uplink.open("server", 8123))
            await asyncio.sleep(0.1)
            opening.cancel()
            await asyncio.wait([opening])
            assert opening.cancelled()

    run(main())


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # ended before its tasks ran
def test_end_while_the_connection_opens_ends_it():
    async def main():
        async with Rig() as rig:
            opening = asyncio.create_task(rig.uplink.open("server", 8123))
            await asyncio.sleep(0)
            rig.uplink.end()
            await opening
            await asyncio.wait_for(rig.uplink.serve(TIMEOUT_MS), 0.1)
            assert rig.socket.closed

    run(main())


def test_nobody_waits_for_the_rest_when_a_full_socket_breaks():
    """A loop that waited for a broken socket to be written to never slept. Found by the soak, seed 34."""

    async def main():
        async with Rig() as rig:
            serving = await rig.serve()
            rig.socket.drain(10)
            rig.uplink.write(memoryview(bytes(500)), True)
            assert rig.uplink.writing
            rig.socket.reset()
            rig.uplink._write_rest()
            assert not rig.uplink.writing
            await serving

    run(main())


def test_full_socket_takes_the_rest_later_and_nothing_twice():
    async def main():
        async with Rig() as rig:
            await rig.serve()
            data = b"\x03\xe8" + bytes(random.Random(1).randbytes(1000))
            rig.socket.drain(10)
            rig.uplink.write(data, True)
            assert rig.uplink.writing
            for space in (0, 1, 500, 491 + 10):
                rig.socket.drain(space)
                rig.socket.feed(KEEPALIVE)
                await asyncio.sleep(0.1)  # small pieces of room are used later and later
                rig.read()
            assert not rig.uplink.writing and rig.socket.sent in (PREAMBLE + data, PREAMBLE + data + KEEPALIVE)

    run(main())


@pytest.mark.parametrize("seed", range(5))
def test_stream_reaches_the_mailbox_whole_in_transfers_that_fit(seed):
    rng = random.Random(seed)
    frames = [rng.randbytes(rng.choice((3, 50, 900, 1066))) for _ in range(60)]
    stream = b"".join(len(frame).to_bytes(2, "big") + frame + KEEPALIVE * rng.randrange(3) for frame in frames)
    wanted = b"".join(len(frame).to_bytes(2, "big") + frame for frame in frames)

    async def main():
        async with Rig() as rig:
            await rig.serve()
            got, rest = b"", stream
            while rest or rig.socket.waiting:
                n = rng.choice((1, 2, 500, 1067, 1068, 1069, 3000))
                rig.socket.feed(rest[:n])
                rest = rest[n:]
                await asyncio.sleep(0.001)
                got += rig.read()
            assert got == wanted

    run(main())


def test_long_frames_leave_at_once_and_what_is_within_a_segment_gathers():
    """lwIP has a queue of 8: a small segment for each small frame would fill it in an outage, and stop the chip."""

    async def main():
        async with Rig() as rig:
            await rig.serve()
            seen = []
            for size in (2, 536, 537, 1068, 31):
                rig.uplink.write(memoryview(bytes(size)), True)
                seen.append(rig.socket.no_delay)
            assert seen == [False, False, True, True, False]
            rig.socket.drain(700)  # and the rest of a long one gathers with what follows
            rig.uplink.write(memoryview(bytes(1068)), True)
            assert rig.socket.no_delay and len(rig.uplink.writing) == 368
            rig.socket.drain(1068)
            await asyncio.sleep(0.1)
            assert not rig.socket.no_delay and not rig.uplink.writing

    run(main())


def test_room_in_a_full_socket_is_used_when_more_of_it_has_come():
    """Acknowledgements come one after the other; as many small segments would be sent."""

    async def main():
        async with Rig() as rig:
            await rig.serve()
            rig.socket.drain(0)
            rig.uplink.write(memoryview(bytes(500)), True)
            sent = len(rig.socket.sent_at)
            for space in (1, 100, 500):
                rig.socket.drain(space)
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.1)
            assert [len(data) for _, data in rig.socket.sent_at[sent:]][:1] == [500]

    run(main())


@pytest.mark.parametrize("why", ["refused", "without the option"])
def test_firmware_that_refuses_the_option_is_served_all_the_same(why):
    def refuse(level, option, value):
        raise OSError(22) if why == "refused" else AttributeError("TCP_NODELAY")

    async def main():
        async with Rig() as rig:
            rig.socket.setsockopt = refuse
            await rig.serve()
            rig.uplink.write(memoryview(bytes(1068)), True)
            assert len(rig.socket.sent) == len(PREAMBLE) + 1068 and not rig.uplink.writing

    run(main())
