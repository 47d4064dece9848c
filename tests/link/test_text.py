"""Text that is none, over the whole path: what an application may write, and what a peer with the key may send."""

import asyncio

import pytest

import esp_link.bridge
from tests.link.harness import System, exchange
from tests.server.core.test_text import POISON
from tests.server.peer import within

FIRST_MS, LAST_MS = 20, 100


@pytest.fixture(autouse=True)
def quick_recovery(monkeypatch):
    """The bridge's pauses between connections are shortened."""
    monkeypatch.setattr(esp_link.bridge, "_RECONNECT_FIRST_MS", FIRST_MS)
    monkeypatch.setattr(esp_link.bridge, "_RECONNECT_LAST_MS", LAST_MS)


def test_what_is_written_at_either_end_is_text_or_an_error():
    async def main():
        async with System() as system:
            conn = await system.connected()
            for end, other in ((system.app, conn), (conn, system.app)):
                for half in ("\ud83d", "a\ude00", "\ude00\ud83d"):
                    for qos in (True, False):
                        with pytest.raises(ValueError, match="half of a surrogate pair"):
                            await end.write(half, qos)
                await within(end.write("\ud83d\ude00 caf\u00e9", wait=False))
                assert await within(other.readline()) == "\U0001f600 caf\u00e9\n"
            await exchange(system, ["good\n"], ["good\n"])

    asyncio.run(main())


@pytest.mark.parametrize("bad", POISON.values(), ids=POISON)
def test_line_of_a_compromised_server_ends_its_connection_and_raises_in_no_reader(bad):
    async def main():
        async with System() as system:
            conn = await system.connected()
            reading = asyncio.create_task(system.app.readline())
            for data in (b"before", bad, b"after"):
                conn._carrier.add(data, True)
            conn._carrier.wake()
            assert await within(reading) == "before\n"
            reading = asyncio.create_task(system.app.readline())
            before = conn.nconns
            await asyncio.sleep(20 * LAST_MS / 1000)
            assert 2 <= conn.nconns - before <= 24, "the bridge's pauses bound the rate"
            assert not reading.done() and not system.link.done()
            assert await within(conn.discard()) == 0
            await within(conn.write("good"))
            assert await within(reading) == "good\n"
            await exchange(system, ["good\n"], ["good\n"])

    asyncio.run(main())
