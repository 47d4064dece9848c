"""The console over the whole path: a client prints and fails, whatever happens between it and the server."""

import asyncio

import pytest

import esp_link.bridge
from server.service.consoles import CHANNEL, Consoles
from tests.link.harness import App as PlainApp
from tests.link.harness import System
from tests.link.test_link import QUICK
from tests.server.all_stores import TemporaryStore
from tests.server.peer import until, within


@pytest.fixture(autouse=True)
def quick_recovery(monkeypatch):
    for name, ms in QUICK.items():
        monkeypatch.setattr(esp_link.bridge, name, ms)


class App(PlainApp):
    verbosity = False

    def __init__(self, *args):
        super().__init__(*args, verbose=self.verbosity, console=True)


class Verbose(App):
    verbosity = 2


class Failing(App):
    """Runs by `run`, and fails in its first call of start."""

    def await_msg(self):
        return self.run()

    async def start(self):
        self.starts += 1
        if self.starts == 1:
            await asyncio.sleep(0.3)
            raise ValueError("the valve is stuck")


class Watched(System):
    """With the consoles of its server."""

    def __init__(self, app=App, **more):
        super().__init__(app=app, **more)
        self.consoles = Consoles(self.service.registry, lambda client_id: True)

    def text(self):
        return [line for _, line in self.consoles.lines("a", 10000, None)]


async def comes(system, text):
    await until(lambda: text in system.text(), text)


def test_client_prints_and_fails_and_the_server_shows_it():
    async def main():
        async with Watched(Failing) as system:
            await comes(system, "pb_link: the application is started again in 1 s")
            text = system.text()
            at = text.index("ValueError: the valve is stuck")
            assert "Traceback (most recent call last):" in text[:at] and any("test_console.py" in one for one in text)
            await until(lambda: system.app.starts == 2, "the second start")

    asyncio.run(main())


def test_what_is_printed_in_an_outage_comes_after_it_and_what_is_lost_is_told():
    async def main():
        async with Watched() as system:
            await system.connected()
            print("before")
            await comes(system, "before")
            for round_ in range(4):
                system.chip.restart()
                await until(lambda: not system.app.status(), "the outage")
                for i in range(5):
                    print("outage", round_, i)
                await comes(system, f"outage {round_} 4")
            system.chip.restart()
            await until(lambda: not system.app.status(), "the outage")
            for i in range(1000):
                print(f"{i:019d}")
            await comes(system, f"{999:019d}")
            text = system.text()
            wanted = [f"outage {round_} {i}" for round_ in range(4) for i in range(5)]
            assert [line for line in text if line.startswith("outage")] == wanted
            kept = [line for line in text if line.isdecimal() and len(line) == 19]
            assert len(kept) == 51 and any("bytes are missing]" in line for line in text)

    asyncio.run(main())


def test_flood_of_prints_delays_no_line_and_is_not_stored():
    async def main():
        async with Watched(store=TemporaryStore()) as system:
            conn, app = await system.connected(), system.app

            async def echo():
                while True:
                    await conn.write(await conn.readline(), wait=False)

            async def exchange(count):
                begun = asyncio.get_running_loop().time()
                for i in range(count):
                    await app.write(str(i), wait=False)
                    assert await within(app.readline()) == f"{i}\n"
                return asyncio.get_running_loop().time() - begun

            echoing = asyncio.create_task(echo())
            alone = await exchange(50)

            async def flood():
                while True:
                    print("x" * 99)
                    await asyncio.sleep(0.001)

            flooding = asyncio.create_task(flood())
            beside = await exchange(50)
            await until(lambda: sum(map(len, system.text())) > 1000, "some of the flood")
            flooding.cancel()
            echoing.cancel()
            assert beside < 5 * alone + 2  # it may take its turns, and never more than those
            assert system.service.store.unread("a", CHANNEL)[0] == 0

    asyncio.run(main())


def test_frames_that_are_printed_do_not_feed_the_console():
    async def main():
        async with Watched(Verbose) as system:
            await system.connected()
            print("once")
            await comes(system, "once")
            ring = system.app._link.run.__self__.ring
            await until(lambda: not ring.count, "all of it")
            before = ring.end
            await within(system.app.write("line"))
            await asyncio.sleep(1)
            assert ring.end == before and not any("DATA" in line for line in system.text())

    asyncio.run(main())


def test_server_without_consoles_is_no_obstacle_to_lines():
    async def main():
        async with System(app=App) as system:
            conn = await system.connected()
            for i in range(3000):
                print("nobody reads this", i)
                if i % 100 == 0:
                    await asyncio.sleep(0.06)
            await within(system.app.write("line"))
            assert await within(conn.readline()) == "line\n"
            ring = system.app._link.run.__self__.ring
            await until(lambda: not ring.count, "all of it")
            assert system.service.store.unread("a", CHANNEL)[0] == 0

    asyncio.run(main())
