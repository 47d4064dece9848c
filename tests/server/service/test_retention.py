"""Lines for clients that never come back: shown, and forgotten if somebody says so."""

import asyncio
import json
from pathlib import Path

import pytest

from protocol.errors import StoreError
from server import MemoryStore, client_conn
from server.core.store import LINE_COST
from server.service.retention import Retention
from server.stores.sqlite import SQLiteStore
from tests.server.all_stores import STORES, TemporaryStore
from tests.server.peer import Client, Service, until, within
from tests.server.service.test_cli import Server
from tests.server.store_calls import a_line, a_lines, data_of

DAY_S = 86400


@pytest.mark.parametrize("kind", [MemoryStore, TemporaryStore])
def test_store_forgets_the_outbox_and_nothing_else(kind):
    async def main():
        store = kind()
        before = await store.claim("a")
        await store.receive("a", before.owner, b"12345678", {0: 7}, a_lines([b"up"]))
        store.note("a", before.owner, "noted")
        for line in (b"one", b"two"):
            await store.put("a", before.owner, a_line(line))
        state, count = await store.discard("a", before.owner)
        assert count == 2 and state.lines == [] and state.epoch != before.epoch and state.owner > before.owner
        assert (state.peer_epoch, state.cursors[0], state.note) == (b"12345678", 7, "noted")
        with pytest.raises(StoreError, match="another owner"):
            await store.put("a", before.owner, a_line(b"late"))
        await store.put("a", state.owner, a_line(b"three"))
        await store.acknowledge("a", state.owner, {0: (state.bases[0] + 1) & 0xFFFF})
        assert data_of(await store.take("a", state.owner)) == b"up"

    asyncio.run(main())


def test_file_has_forgotten_it_too():
    async def main():
        store = SQLiteStore("store.db")
        owner = (await store.claim("a")).owner
        await store.put("a", owner, a_line(b"first"))
        owner = (await store.discard("a", owner))[0].owner
        await store.put("a", owner, a_line(b"second"))
        await store.away("a", owner, 1200)
        await asyncio.gather(store.put("b", (await store.claim("b")).owner, a_line(b"x")))
        assert store.total == 7 + 2 * LINE_COST
        store.close()
        store = SQLiteStore("store.db")
        assert await store.backlogs() == [
            {"id": "a", "lines": 1, "bytes": 6, "away_s": 1200}, {"id": "b", "lines": 1, "bytes": 1, "away_s": 0}
        ]  # fmt: skip
        assert (await store.claim("a")).lines == [b"second"] and store.total == 7 + 2 * LINE_COST
        store.close()

    asyncio.run(main())


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("reading", [True, False], ids=["reading", "not reading"])
def test_client_gets_what_is_written_after_a_discard_and_its_own_lines_go_on(kind, reading):
    async def main():
        async with Service(store=kind()) as service:
            client = Client(service.port)
            await within(client.connect())
            conn = await within(client_conn("a"))
            client.reading = reading
            for number in range(5):
                await client.write(f"up {number}")
                await conn.write(f"old {number}", wait=False)
            waiting = asyncio.create_task(conn.write("waits"))
            await until(lambda: conn._session.acknowledged == 6 or not reading, "acknowledgements")
            await asyncio.sleep(0.05)
            count = await within(conn.discard())
            assert reading or count == 6
            if not reading:
                with pytest.raises(StoreError, match="begun anew"):
                    await within(waiting)
            await client.ended()
            client.reading = True
            received = len(client.lines)
            await within(client.connect())
            await client.write("up 5")
            await within(conn.write("new"))
            assert [await within(conn.readline()) for _ in range(6)] == [f"up {i}\n" for i in range(6)]
            assert client.lines[-1] == "new\n" and len(set(client.lines)) == len(client.lines) >= received
            waiting.cancel()

    asyncio.run(main())


def test_lines_are_forgotten_when_the_server_has_waited_for_so_long():
    async def main():
        events = []
        async with Service(store=TemporaryStore()) as service:
            retention = Retention(1, service.registry, service.store)
            conn = service.connection()
            await conn.write("old", wait=False)
            service.events.subscribe(lambda event, client_id, details: events.append((event, client_id, details)))
            await retention.look(DAY_S - 600)
            assert (await service.store.backlogs())[0]["away_s"] == DAY_S - 600
            client = Client(service.port)
            client.reading = False
            await within(client.connect())
            client.cut()
            await until(lambda: not conn.status(), "the end")
            await retention.look(600)  # it was here: the count begins again
            await retention.look(DAY_S - 600)
            assert (await service.store.backlogs())[0]["lines"] == 1
            assert not [one for one in events if one[0] == "discarded"]
            await retention.look(600)
            assert await service.store.backlogs() == []
            assert [one for one in events if one[0] == "discarded"] == [("discarded", "a", {"lines": 1})]
            await conn.write("new", wait=False)
            await retention.look(DAY_S // 2)
            assert (await service.store.backlogs())[0]["away_s"] == DAY_S // 2

    asyncio.run(main())


def test_backlog_is_shown_and_discarded_by_commands(capsys):
    from tests.server.service.test_cli import words

    with Server() as server:
        for number in range(3):
            assert words(f"send pump line{number}", capsys)[0] == 0
        status, out, _ = words("backlog --json", capsys)
        assert status == 0 and json.loads(out) == [{"id": "pump", "lines": 3, "bytes": 15, "away_s": 0}]
        assert "pump" in words("backlog", capsys)[1]
        status, _, err = words("discard pump", capsys)
        assert status == 1 and "3 lines" in err and "--yes" in err
        status, _, err = words("discard valve --yes", capsys)
        assert status == 1 and "no line waits for 'valve'" in err
        assert words("discard pump --yes", capsys)[:2] == (0, "3 lines for pump are gone\n")
        assert json.loads(words("backlog --json", capsys)[1]) == []
        status, log = server.end()
    assert status == 0 and "discarded client=pump lines=3" in log and "line0" not in log
    assert Path("pb_link.db").exists()


def test_store_that_fails_does_not_end_the_count(monkeypatch):
    class Failing:
        looks = 0

        async def backlogs(self):
            self.looks += 1
            raise StoreError("the disk is full")

    async def main():
        monkeypatch.setattr("server.service.retention.LOOK_S", 0.01)
        store = Failing()
        counting = asyncio.create_task(Retention(1, None, store).run())
        await until(lambda: store.looks > 1, "the second look")
        counting.cancel()

    asyncio.run(main())
