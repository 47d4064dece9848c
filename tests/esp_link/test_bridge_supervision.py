"""The bridge reports, and watches over the bus, its tasks and itself."""

import asyncio

import pytest

from primitives import timeout
from protocol import control
from protocol.control_client import decode_report
from protocol.framing import KEEPALIVE
from tests.esp_link.bench import UP, Bench
from tests.link.virtual import now_ms, run

FRAME = b"\0\5hello"


def test_reports_count_up_and_come_at_their_interval():
    async def main():
        async with Bench() as bench:
            await bench.connected((8123, "server", 60000, 10, "", ""))
            bench.free = 24680
            await bench.pause(35000)
            reports = [decode_report(record) for record in bench.client.controls if record[0] == control.REPORT]
            assert reports == [[1, 0, 24680, 0], [1, 1, 24680, 0], [1, 2, 24680, 0]]

    run(main())


def test_strength_of_the_signal_comes_in_front_of_each_report_while_there_is_one():
    async def main():
        async with Bench() as bench:
            await bench.connected((8123, "server", 60000, 10, "", ""))
            await bench.pause(15000)
            bench.rssi = -67
            await bench.pause(20000)
            told = [bytes(record) for record in bench.client.controls if record[0] in (control.REPORT, 0x08)]
            assert [record[0] for record in told] == [0x06, 0x08, 0x06, 0x08, 0x06]
            assert told[1] == told[3] == b"\x08\xbd"

    run(main())


def test_no_reports_are_sent_unless_asked_for():
    async def main():
        async with Bench() as bench:
            await bench.connected()
            await bench.pause(60000)
            assert control.REPORT not in bench.client.kinds()

    run(main())


def test_records_that_the_client_does_not_take_are_bounded():
    async def main():
        async with Bench() as bench:
            await bench.connected((8123, "server", 60000, 1, "", ""))
            bench.client._task.cancel()  # hangs, with its mailbox on the bus
            await bench.pause(60000)
            assert len(bench.bridge._controls) <= 8 and not bench.task.done()

    run(main())


def test_bus_is_looked_at_seldom_when_nothing_happens():
    async def main():
        async with Bench() as bench:
            await bench.connected((8123, "server", 600000, 0, "", ""))
            await bench.pause(5000)
            transfers = bench.bus.transfers
            await bench.pause(60000)
            assert bench.bus.transfers - transfers <= 130

    run(main())


def test_watchdog_is_fed_all_the_time():
    async def main():
        async with Bench() as bench:
            for answer in ("hang", "refuse", "accept"):
                bench.answer = answer
                bench.client.configure()
                for _ in range(20):
                    feeds = bench.feeds
                    await bench.pause(500)
                    assert bench.feeds > feeds

    run(main())


def test_offer_that_cannot_be_fetched_is_tried_again_in_a_while_and_not_called_use():
    """The client is gone when its transfer is fetched: no pass after the other, and no pulse on ack."""

    async def main():
        async with Bench() as bench:
            number = await bench.connected()
            bench.client.send(number, FRAME)
            poll = bench.bridge._box.poll

            def poll_and_lose_the_client():
                polled = poll()
                if polled and bench.bridge._box.can_fetch():
                    bench.client.close()
                return polled

            bench.bridge._box.poll = poll_and_lose_the_client
            await bench.until(lambda: bench.bridge._box.failures)
            acks, failures = bench.client.acks, bench.bridge._box.failures
            await bench.pause(10000)
            assert bench.client.acks <= acks + 1  # of the pass in which it went
            assert 20 < bench.bridge._box.failures - failures <= 2 * 10000 / 100

    run(main())


def test_server_that_speaks_to_a_busy_client_is_not_silent():
    """One transfer is unconfirmed, so nobody reads the socket, in which keepalives arrive."""

    async def main():
        async with Bench() as bench:
            await bench.connected()
            bench.client._task.cancel()
            await bench.pause(10)
            bench.socket.feed(FRAME)
            for _ in range(5):
                await bench.pause(500)
                assert len(bench.sockets) == 1 and not bench.socket.closed
                bench.socket.feed(KEEPALIVE)

    run(main())


def test_connection_that_was_longer_than_ticks_diff_can_tell_was_a_good_one(monkeypatch):
    """The next pause is the first one again. `ticks_ms` wraps at 2**20 here: 10 minutes stand for a week."""
    wrap = 1 << 20
    monkeypatch.setattr(timeout, "ticks_ms", lambda: now_ms() % wrap)
    monkeypatch.setattr(timeout, "ticks_diff", lambda a, b: (a - b + wrap // 2) % wrap - wrap // 2)

    async def main():
        async with Bench() as bench:
            bench.answer = "refuse"
            bench.client.configure()
            await bench.pause(20000)
            bench.answer = "accept"
            await bench.until(lambda: UP in bench.client.kinds())
            quiet = asyncio.create_task(keep_alive(bench))
            await bench.pause(600000)
            quiet.cancel()
            attempts = len(bench.attempts)
            bench.socket.reset()
            ended = now_ms()
            await bench.until(lambda: len(bench.attempts) > attempts)
            assert bench.attempts[-1][0] - ended <= 300

    run(main())


async def keep_alive(bench):
    while True:
        bench.socket.feed(KEEPALIVE)
        await bench.pause(1000)


@pytest.mark.parametrize("where", ["mailbox", "wifi", "housekeeping", "connect"])
def test_exception_in_any_task_ends_the_bridge(where):
    def broken(*args):
        raise RuntimeError("broken " + where)

    async def main():
        async with Bench() as bench:
            await bench.pause(500)
            if where == "mailbox":
                bench.bridge._box.poll = broken
            elif where == "wifi":
                bench.wifi.join = broken
            elif where == "housekeeping":
                bench.bridge._feed = broken
            else:
                bench.bridge._uplink._connect = broken
            bench.client.configure()
            await asyncio.wait([bench.task], timeout=5)
            with pytest.raises(RuntimeError, match="broken " + where):
                bench.task.result()

    run(main())


class HungFlag:
    def set(self):
        pass

    def __await__(self):
        yield from asyncio.Event().wait().__await__()


@pytest.mark.parametrize(("hung", "seconds"), [("mailbox", 5), ("connection", 60)])
def test_task_that_hangs_ends_the_bridge(hung, seconds):
    async def forever(*args):
        await asyncio.Event().wait()

    async def main():
        async with Bench() as bench:
            await bench.pause(500)
            if hung == "mailbox":
                bench.bridge._wake = HungFlag()
            else:
                bench.wifi.join = forever
            bench.client.configure()
            begun = now_ms()
            await asyncio.wait([bench.task], timeout=200)
            with pytest.raises(RuntimeError, match="hangs"):
                bench.task.result()
            assert seconds * 1000 - 1000 <= now_ms() - begun <= seconds * 1000 + 1500

    run(main())
