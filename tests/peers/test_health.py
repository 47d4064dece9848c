"""What two servers say of their health while their PostgreSQL fails over, is away, and while they are restarted."""

import asyncio
import signal

from tests.cluster.proxy import Proxy
from tests.peers.two_nodes import Nodes
from tests.server import postgres
from tests.server.peer import within


def test_servers_are_ready_while_their_database_can_be_written_and_alive_all_the_time(tmp_path):
    async def main():
        primary = postgres.Postgres(fsync="off")
        standby = postgres.Postgres(copy_of=primary, fsync="off")
        proxies = [await Proxy(server.folder + "/.s.PGSQL.5432").open() for server in (primary, standby)]
        hosts = ",".join(f"127.0.0.1:{proxy.port}" for proxy in proxies)
        nodes = Nodes(tmp_path, f"postgresql://postgres@{hosts}/postgres?sslmode=disable")
        await asyncio.to_thread(nodes.__enter__)
        try:
            await _play(nodes, primary, standby)
        finally:
            await asyncio.to_thread(nodes.__exit__)
            for proxy in proxies:
                proxy.close()
            for server in (primary, standby):
                server.remove()

    asyncio.run(main())


async def _play(nodes, primary, standby):
    async def page(at, path):
        return await asyncio.to_thread(nodes.page, at, path)

    async def ready(at, status):
        """Returns what /readyz says, once it has this status. The server is alive from its first answer on."""
        answered = False
        while True:
            found = await page(at, "/readyz")
            answered = answered or found[0] is not None
            assert not answered or (await page(at, "/healthz")) == (200, "ok\n")
            if found[0] == status:
                return found[1]
            await asyncio.sleep(0.05)

    async def both(status):
        return [await within(ready(at, status)) for at in range(2)]

    await both(200)
    await asyncio.to_thread(primary.kill)  # what is left is a standby, which cannot be written
    assert all("the store is away" in text for text in await both(503))
    await asyncio.to_thread(standby.promote)
    await both(200)
    standby.signal(signal.SIGSTOP)  # connections stay, and nothing answers
    await both(503)
    standby.signal(signal.SIGCONT)
    await both(200)
    for at in range(2):
        await asyncio.to_thread(nodes.end, at)
        assert await page(at, "/readyz") == (None, "")
        assert (await page(1 - at, "/readyz"))[0] == 200
        await asyncio.to_thread(nodes.start, at)
        await within(ready(at, 200))
