"""The whole path: what the application sends at one end arrives at the other, whatever fails between."""

import asyncio
import random

import pytest

import esp_link.bridge
import pb_link.limits
import server
from tests.link.harness import System, exchange, numbered
from tests.server.peer import KEY, OTHER_KEY, until, within

SEEDS = range(3)
QUICK = {
    "_RECONNECT_FIRST_MS": 20,
    "_RECONNECT_LAST_MS": 60,
    "_ABSENT_POLL_MS": 40,
    "_BUSY_POLL_MS": 50,
    "_REWRITE_MS": 30,
    "_HOUSEKEEPING_MS": 10,
}


@pytest.fixture(autouse=True)
def quick_recovery(monkeypatch):
    """The bridge's times are shortened: no line depends on them."""
    for name, ms in QUICK.items():
        monkeypatch.setattr(esp_link.bridge, name, ms)


def mixed(seed, count, prefix):
    """Lines of all lengths, each different."""
    rng = random.Random(seed)
    return [f"{prefix}{i}." + "\u20ac" * rng.choice((0, 1, 5, 30, 300)) + "\n" for i in range(count)]


def test_lines_go_both_ways_at_once():
    async def main():
        async with System() as system:
            await exchange(system, mixed(1, 300, "up"), mixed(2, 300, "down"))
            assert (system.app.starts, system.app.ups, system.chip.boots) == (1, [True], 1)

    asyncio.run(main())


def test_thousands_of_lines():
    async def main():
        async with System() as system:
            await exchange(system, numbered(4000, 20, "u"), numbered(4000, 20, "d"))
            assert system.bus.transfers < 4000  # lines share frames

    asyncio.run(main())


def test_longest_lines():
    async def main():
        async with System() as system:
            lines = [char * size + "\n" for size in (8192, 8191, 1, 0, 1024, 8192) for char in "ab"]
            await exchange(system, lines, lines)

    asyncio.run(main())


def test_line_over_the_limit_is_an_error_at_both_ends():
    async def main():
        async with System() as system:
            conn = await system.connected()
            for end in (system.app, conn):
                with pytest.raises(ValueError, match="8193"):
                    await end.write("x" * 8193)
                with pytest.raises(ValueError, match="newline"):
                    await end.write("a\nb")
            await exchange(system, ["good\n"], ["good\n"])

    asyncio.run(main())


def test_lines_of_qos_0_arrive_in_order_while_the_link_is_up():
    async def main():
        async with System() as system:
            conn = await system.connected()
            for writer, reader in ((system.app, conn), (conn, system.app)):
                for line in numbered(50):
                    await within(writer.write(line, qos=False))
                assert [await within(reader.readline()) for _ in range(50)] == numbered(50)

    asyncio.run(main())


def test_lines_of_qos_0_arrive_once_in_order_or_not_at_all():
    async def main():
        async with System() as system:
            conn = await system.connected()
            got = []

            async def reader():
                while True:
                    got.append(await conn.readline())

            reading = asyncio.create_task(reader())
            for i, line in enumerate(numbered(300)):
                await within(system.app.write(line, qos=False))
                if i % 100 == 50:
                    await until(lambda line=line: line in got, "the lines so far")
                    system.chip.restart()
                    there = i // 100 + 2
                if i % 100 == 80:
                    await until(lambda n=there: conn.nconns == n and system.app.ups.count(True) == n, "the link")
            await until(system.app.status, "the link")
            await within(system.app.write("end"))
            await until(lambda: "end\n" in got, "the last line")
            reading.cancel()
            assert got[:-1] == sorted(set(got[:-1])) and set(got[:-1]) <= set(numbered(300))
            assert len(got) >= 3 * 51

    asyncio.run(main())


# Faults


@pytest.mark.parametrize("seed", SEEDS)
def test_bridge_restarts_at_random_moments(seed):
    async def main():
        async with System() as system:
            rng = random.Random(seed)

            async def restarts():
                for _ in range(8):
                    await asyncio.sleep(rng.random() * 0.08)
                    system.chip.restart()
                    await until(lambda: system.chip.on, "the boot")

            await exchange(system, mixed(seed, 600, "up"), mixed(-seed, 600, "down"), meanwhile=restarts)
            assert system.chip.boots == 9 and system.app.starts == 1

    asyncio.run(main())


def test_client_reboots_the_bridge_through_its_reset_wire():
    async def main():
        async with System() as system:

            async def reboots():
                for _ in range(3):
                    await within(system.app.reboot())
                    await until(system.app.status, "the link")

            await exchange(system, numbered(500, 50), numbered(500, 50), meanwhile=reboots)
            assert system.chip.boots == 4 and system.chip.strapped == 0
            assert system.rst.history == [0, 1] * 3

    asyncio.run(main())


def test_dead_bridge_is_reset_without_being_asked():
    async def main():
        async with System() as system:
            await system.connected()
            await exchange(system, numbered(5), numbered(5))
            system.chip.kill()
            await exchange(system, numbered(5), numbered(5))
            assert system.chip.boots == 2 and system.chip.strapped == 0 and system.rst.history == [0, 1]

    asyncio.run(main())


@pytest.mark.parametrize("what", ["program", "events"])
def test_without_a_reset_wire_a_bridge_that_was_only_slow_gets_a_connection_again(what, monkeypatch):
    monkeypatch.setattr(pb_link.limits, "BRIDGE_IDLE_MS", 500)
    monkeypatch.setattr(esp_link.bridge, "_IDLE_POLL_MS", 100)

    async def main():
        async with System(rst=False) as system:
            conn = await system.connected()
            bridge, target = system.chip.bridge, system.bus.target
            serve, handler = bridge._serve, target.handler
            if what == "program":
                bridge._serve = lambda: False
            else:
                target.handler = None
            await until(lambda: not system.app.status(), "the loss of the connection")
            bridge._serve, target.handler = serve, handler
            await until(lambda: conn.nconns == 2 and system.app.status(), "the next connection")
            await exchange(system, numbered(20), numbered(20))
            assert system.chip.boots == 1

    asyncio.run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_on_the_bus(seed):
    async def main():
        async with System() as system:
            await system.connected()
            system.bus.noise = random.Random(seed)
            system.bus.rate = 0.15
            await exchange(system, mixed(seed, 300, "up"), mixed(-seed, 300, "down"))
            assert system.bus.spoilt > 10

    asyncio.run(main())


def test_bus_that_is_mostly_noise_is_only_slow():
    async def main():
        async with System() as system:
            system.bus.noise = random.Random(4)
            system.bus.rate = 0.5
            await exchange(system, numbered(20), numbered(20))

    asyncio.run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_tcp_connection_is_cut(seed):
    async def main():
        async with System() as system:
            rng = random.Random(seed)
            conn = await system.connected()

            async def cuts():
                for _ in range(6):
                    await asyncio.sleep(rng.random() * 0.05)
                    count = conn.nconns
                    system.chip.socket.cut()
                    await until(lambda count=count: conn.nconns > count, "the next connection")

            await exchange(system, mixed(seed, 600, "up"), mixed(-seed, 600, "down"), meanwhile=cuts)
            assert system.chip.boots == 1

    asyncio.run(main())


def test_server_listener_stops_and_starts():
    async def main():
        async with System() as system:
            await system.connected()

            async def restarts():
                for _ in range(3):
                    await system.service.stop()
                    await until(lambda: not system.app.status(), "notice of the outage")
                    system.service.start()
                    await until(system.app.status, "the link")

            await exchange(system, numbered(800, 50), numbered(800, 50), meanwhile=restarts)
            assert system.app.ups[-1] and system.app.ups.count(True) == 4
            assert system.app.failures == [] and system.chip.boots == 1

    asyncio.run(main())


def test_client_knows_at_once_that_the_server_has_ended():
    async def main():
        async with System(timeout=600000) as system:
            await system.connected()
            await system.service.stop()
            await until(lambda: system.app.ups[-1:] == [False], "server_ok(False)")

    asyncio.run(main())



def test_everything_fails_together():
    async def main():
        async with System() as system:
            rng = random.Random(11)
            conn = await system.connected()
            system.bus.noise = rng
            system.bus.rate = 0.05

            async def faults():
                for _ in range(12):
                    await asyncio.sleep(rng.random() * 0.1)
                    fault = rng.randrange(4)
                    if fault == 0:
                        system.chip.restart()
                    elif fault == 1 and conn.status():
                        conn.disconnect()
                    elif fault == 2:
                        await within(system.app.reboot())
                    else:
                        await system.service.stop()
                        system.service.start()

            await exchange(system, mixed(1, 600, "up"), mixed(2, 600, "down"), meanwhile=faults)
            assert system.app.starts == 1 and system.chip.strapped == 0

    asyncio.run(main())


# Back-pressure


@pytest.mark.parametrize("slow", ["client", "server"])
def test_application_that_does_not_read_for_a_while_loses_nothing(slow):
    async def main():
        async with System() as system:
            conn = await system.connected()
            writer, reader = (conn, system.app) if slow == "client" else (system.app, conn)
            lines = numbered(1200, 200)
            written = []

            async def write():
                for line in lines:
                    await writer.write(line, wait=False)
                    written.append(line)

            writing = asyncio.create_task(write())
            await stands_still(written)
            assert 0 < len(written) < len(lines)
            # The other direction and the link itself do not suffer.
            await within(reader.write("meanwhile", wait=False))
            assert await within(writer.readline()) == "meanwhile\n"
            assert [await within(reader.readline()) for _ in lines] == lines
            await within(writing)
            assert system.chip.boots == 1 and conn.nconns == 1

    asyncio.run(main())


async def stands_still(grows):
    for _ in range(1000):
        count = len(grows)
        await asyncio.sleep(0.3)
        if count and len(grows) == count:
            return
    raise AssertionError("the writer is never stopped")


# Order of power


def test_client_comes_after_the_bridge():
    async def main():
        system = System()
        system.service.start()
        system.chip.boot()
        await asyncio.sleep(0.3)
        async with system:
            await exchange(system, numbered(3), numbered(3))
            assert system.chip.boots == 1

    asyncio.run(main())


def test_server_comes_last():
    async def main():
        async with System() as system:
            await system.service.stop()
            await until(lambda: system.app.failures, "the failure")
            assert system.app.failures == ["server"]
            system.service.start()
            await exchange(system, numbered(3), numbered(3))
            assert system.app.failures == ["server"]

    asyncio.run(main())


def test_client_with_a_new_key_is_refused_never():
    async def main():
        system = System(key=OTHER_KEY)
        system.service.keys = {"a": [KEY, OTHER_KEY]}  # from a rotation
        async with system:
            await exchange(system, numbered(3), numbered(3))
            assert sum(system.service.events.refusals.values()) == 0
            assert system.app.failures == []

    asyncio.run(main())


def test_reports_arrive():
    async def main():
        async with System(report_s=1) as system:
            await until(lambda: len(system.app.reports) >= 2, "two reports")
            assert system.app.reports[0] == [1, 0, 24000]
            assert system.app.reports[1] == [1, 1, 24000]

    asyncio.run(main())


# A server that is not what it was


def test_server_with_another_store_is_met_with_words_and_the_link_goes_on(capsys):
    async def main():
        async with System() as system:
            await exchange(system, numbered(20, prefix="u"), numbered(20, prefix="d"))
            await system.service.stop()
            await until(lambda: not system.app.status(), "the end of the connection")
            system.service.store = server.MemoryStore()
            system.service.start()
            await until(system.app.status, "the link")
            await exchange(system, numbered(5, prefix="later u"), numbered(5, prefix="later d"))

    asyncio.run(main())
    assert "another one: it does not know of 21 lines that had been acknowledged. The link" in capsys.readouterr().out


def test_client_whose_epoch_an_earlier_life_had_draws_another_one_and_loses_nothing():
    async def main():
        async with System() as system:
            conn = await system.connected()
            link = system.app._link
            conn._session.become_peer(link._epoch, 3)  # as if it had received three lines of this epoch before
            epoch = link._epoch
            conn.disconnect()
            await until(lambda: not system.app.status(), "the end of the connection")
            await exchange(system, numbered(5, prefix="u"), numbered(5, prefix="d"))
            assert link._epoch != epoch

    asyncio.run(main())
