"""What processes on one database know of each other; how they use it: test_postgres_mail.py, test_shared.py."""

import asyncio

from tests.server.reading_bed import Bed, run, until


def test_beat_tells_of_the_other_servers_and_of_how_many_clients_they_have():
    async def main():
        async with Bed() as bed:
            stores = [bed.process().store for _ in range(3)]
            one, two, three = (store.others for store in stores)
            for others in (one, two):
                others.address = "host:8123"  # the third one has no listener
            for name, others in (("one", one), ("two", two), ("three", three)):
                others.name = name
                await bed.do(f"UPDATE {{schema}}.node SET name = '{name}' WHERE id = {others.node}")
            watching = [asyncio.create_task(store.watch()) for store in stores]

            async def all_see(**clients):
                for others in (one, two, three):
                    await until(lambda others=others: {node.name: node.clients for node in others.nodes()} == clients)

            owner = (await stores[1].claim("a")).owner
            two.present("a", owner, True)
            await all_see(one=0, two=1)
            await stores[0].claim("a")
            two.present("a", owner, True)  # it has not heard of that
            await until(lambda: two.fenced == 1)
            await all_see(one=0, two=0)
            assert one.fenced == 0 and all(node.silent_s >= 0 for node in one.nodes())
            for task in watching:
                task.cancel()

    run(main())
