"""What processes on one database know of each other; how they use it: test_postgres_mail.py, test_shared.py."""

import asyncio

import pytest

from server.core.store import StoreGone
from server.stores import postgres_readings
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


def test_fault_of_our_own_in_what_looks_for_readers_ends_the_use_of_the_store(monkeypatch):
    """Else they would wait for ever."""
    monkeypatch.setattr(postgres_readings, "LOOK_S", 0.05)

    async def broken():
        raise KeyError("a fault")

    async def main():
        async with Bed() as bed:
            process = bed.process()
            process.store.readings._look = broken
            with pytest.raises(StoreGone, match="what looks for readers has ended: KeyError"):
                await process.store.watch()

    run(main())


def test_heartbeat_that_fails_as_nobody_has_expected_goes_on_and_that_is_told():
    async def main():
        async with Bed() as bed:
            process, said, failed = bed.process(), [], []
            process.store._database.say = lambda event, **details: said.append((event, details["text"]))
            hints = process.store.others._hints
            beat = hints._beat

            async def broken(connection):
                if not failed:
                    failed.append(connection)
                    raise KeyError("a fault")
                await beat(connection)

            hints._beat = broken
            async with process.store.others.used():
                begun = process.store.others.beaten
                await until(lambda: process.store.others.beaten > begun)
            assert said == [("store_warning", "the heartbeat has failed: KeyError('a fault')")]

    run(main())
