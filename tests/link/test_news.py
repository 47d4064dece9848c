"""What each end learns of the other over the whole path: sessions, lives, JSON, and the time."""

import asyncio
import time

import pytest

import esp_link.bridge
from pb_link import utc
from protocol.strict_json import BadJSON
from server import MemoryStore, SQLiteStore
from tests.link.harness import App, System
from tests.link.test_link import QUICK
from tests.server.peer import until, within


@pytest.fixture(autouse=True)
def quick_recovery(monkeypatch):
    for name, ms in QUICK.items():
        monkeypatch.setattr(esp_link.bridge, name, ms)


class Resumed(App):
    def __init__(self, *args):
        super().__init__(*args)
        self.kept = []

    async def resumed(self, kept):
        assert self.ups[-1:] == [True]
        self.kept.append(kept)


async def restarted(system, make_store):
    """Start the server anew with such a store. Returns the client's Connection."""
    await system.service.stop()
    await until(lambda: not system.app.status(), "notice of the outage")
    system.service.store.close()
    system.service.store = make_store()
    system.service.start()
    return await system.connected()


def test_client_is_told_what_the_server_knows_of_it_and_the_server_counts_its_lives(tmp_path):
    async def main():
        async with System(app=Resumed, store=SQLiteStore(tmp_path / "one.db")) as system:
            app, kept = system.app, system.app.kept
            conn = await system.connected()
            await until(lambda: kept == [False], "news of the first session")
            await within(app.write("one"))
            assert conn.lives == 1
            system.chip.restart()
            await until(lambda: kept == [False, True], "news of another connection")
            conn = await restarted(system, lambda: SQLiteStore(tmp_path / "one.db"))
            await until(lambda: kept == [False, True, True], "news of the server's restart")
            assert conn.lives == 1 and await within(conn.readline()) == "one\n"
            await within(app.write("two"))
            conn = await restarted(system, MemoryStore)
            await until(lambda: kept == [False, True, True, False], "news of another store")
            assert conn.lives == 1
            await within(app.write("three"))
            assert await within(conn.readline()) == "three\n"
            await within(conn.write("waits", wait=False))
            await within(conn.discard())
            await until(lambda: kept == [False, True, True, False, False], "news of what was discarded")

    asyncio.run(main())


def test_another_life_of_the_client_is_told_at_both_ends():
    async def main():
        store = MemoryStore()
        for lives in (1, 2):
            async with System(app=Resumed, store=store) as system:
                conn = await system.connected()
                await until(lambda: system.app.kept == [False], "news of the session")
                assert await within(conn.new_life(lives - 1)) == conn.lives == lives

    asyncio.run(main())


def test_json_goes_both_ways_and_what_is_none_stops_nobody():
    async def main():
        async with System() as system:
            conn, app = await system.connected(), system.app
            for one, other in ((app, conn), (conn, app)):
                sender, receiver = one.channel(20), other.channel(20)
                sending = asyncio.create_task(sender.send_json({"\u00e4": [1, None, "\U0001f600"]}))
                assert await within(receiver.receive_json()) == {"\u00e4": [1, None, "\U0001f600"]}
                await within(sending)
                await within(sender.send("[1,]", wait=False))
                await within(sender.send_json([1], wait=False))
                with pytest.raises(BadJSON, match="byte 3"):
                    await within(receiver.receive_json())
                assert await within(receiver.receive_json()) == [1]

    asyncio.run(main())


def test_time_of_the_server_comes_and_sets_the_clock_also_through_an_outage(monkeypatch):
    found = []

    class RTC:
        def datetime(self, fields):
            found.append((fields, time.time()))

    monkeypatch.setattr(utc, "RTC", RTC)

    async def main():
        async with System() as system:
            conn, app = await system.connected(), system.app
            begun = time.time()
            ms = await within(app.utc())
            assert begun * 1000 <= ms + 100 and abs(ms - time.time() * 1000) < 100
            fields, true = found[0]
            assert fields == (*time.gmtime(round(true))[:3], time.gmtime(round(true))[6] + 1,
                              *time.gmtime(round(true))[3:6], 0)  # fmt: skip
            assert abs(true - round(true)) < 0.1
            system.chip.restart()
            await until(lambda: not app.status(), "the outage")
            ms = await within(app.utc(set_rtc=False))
            assert abs(ms - time.time() * 1000) < 300 and len(found) == 1
            assert conn.nconns == 2

    asyncio.run(main())
