"""What the web page and the history cost a server with 100 busy clients: part of `make bench-server`.

`pb-link serve` runs without the page, with the history alone, and with ten pages that look on: five at the list of
the clients and five at a client, each of which asks for its charts as well. The three run at the same time and get
lines in turns, each of them first in a third of the rounds, so what disturbs one of them disturbs the others. A turn
takes about half a second: the viewers are served at ticks (`live.TICK_S`), and each turn is to have one. The figure is
the median of the ratios of all rounds. The servers have the first core, load and viewers the second; the lines are
those of a second of the server's core.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import time
from pathlib import Path

from server.gateways.web.users import UserFile
from tests.server.bench import KEY, Process, connected, fresh, leave_first_core, raise_limit
from tests.server.bench_bars import Bars, median
from tests.server.bench_program import names
from tests.server.gateways.web.bed import CHEAP, Browser
from tests.server.peer import free_port, open_stream

CLIENTS = 100
VIEWERS = 10
LEAST = 0.95  # of the lines of a server without the page
WARM = 2  # rounds that do not count
WITHOUT = "without the page"
KINDS = {WITHOUT: None, "with the history": 0, "with the history and ten viewers": VIEWERS}  # viewers


class Served:
    """A server with busy clients and viewers. Use: `async with Served(..) as one`. viewers: None: there is no page."""

    def __init__(self, folder, viewers):
        self._folder = Path(folder)
        self._viewers = viewers

    async def __aenter__(self):
        folder, port, web = self._folder, free_port(), free_port()
        (folder / "keys.json").write_text(json.dumps(dict.fromkeys(names(CLIENTS), KEY)))
        os.chmod(folder / "keys.json", 0o600)
        token = UserFile(folder / "web_users.json", CHEAP).add_token("viewer", "view")
        settings = f'host = "127.0.0.1"\nport = {port}\nkeys = "keys.json"\nstore = "store.db"\n'
        settings += 'app = "tests.server.bench_web_app:read"\ntimeout_ms = 30000\n'
        if self._viewers is not None:
            settings += f'[web]\nlisten = "127.0.0.1:{web}"\n'
        (folder / "x.toml").write_text(settings)
        async with contextlib.AsyncExitStack() as stack:
            command = [sys.executable, "-m", "server", "serve", "--config", "x.toml"]
            self._process = stack.enter_context(Process(command, folder))
            self._clients, _ = await connected(port, CLIENTS)
            for client in self._clients:
                stack.callback(client.cut)
            for number in range(self._viewers or 0):
                await stack.enter_async_context(_viewer(Browser(("127.0.0.1", web)), token, number))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error):
        await self._stack.aclose()

    async def lines_per_second(self, lines):
        """Lines for each second, and for each second of the server's core."""
        cpu_s, begin = self._process.cpu_s, time.perf_counter()
        await asyncio.gather(*(client.load(lines // CLIENTS) for client in self._clients))
        return lines / (time.perf_counter() - begin), lines / (self._process.cpu_s - cpu_s)


@contextlib.asynccontextmanager
async def _viewer(browser, token, number):
    """A page that looks on."""
    headers = {"authorization": f"Bearer {token}"}
    (await open_stream(browser._address[1]))[1].close()
    client_id = names(CLIENTS)[number]
    query = "view=clients&sort=-lines_received" if number % 2 else f"view=client&id={client_id}"
    async with browser.stream("/api/events?" + query, **headers) as event:

        async def look():
            if not number % 2:
                assert (await browser.get(f"/api/clients/{client_id}/history", **headers)).status == 200
            while True:
                await event()

        looking = asyncio.create_task(look())
        try:
            yield
        finally:
            assert not looking.done(), looking.exception()
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


async def measured(lines, rounds):
    """Returns {one of KINDS: [of each round what `lines_per_second` returns]}."""
    found = {name: [] for name in KINDS}
    async with contextlib.AsyncExitStack() as stack:
        served = {}
        for name, viewers in KINDS.items():
            served[name] = await stack.enter_async_context(Served(stack.enter_context(fresh()), viewers))
        for number in range(rounds):
            first = number % len(KINDS)
            for name in [*KINDS, *KINDS][first : first + len(KINDS)]:
                found[name].append(await served[name].lines_per_second(lines))
    return {name: some[WARM:] for name, some in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=36000, help="in each round")
    parser.add_argument("--rounds", type=int, default=122)  # a ratio of one round differs by 8 %
    options = parser.parse_args()
    raise_limit(2000)
    leave_first_core()
    bars, found = Bars(), asyncio.run(measured(options.lines, options.rounds))
    of_core = {name: median([one[1] for one in some]) for name, some in found.items()}
    for name, some in found.items():
        rate = median([one[0] for one in some])
        text = f"{of_core[name]:9,.0f} lines for a second of a core, {rate:,.0f} lines/s"
        bars.show(name, text, lines_of_core=of_core[name], lines_per_s=rate)
    for name in list(KINDS)[1:]:
        ratios = [one[1] / without[1] for one, without in zip(found[name], found[WITHOUT])]
        bars.at_least(f"{name}, of without", median(ratios), LEAST)
    print(json.dumps(bars.figures))
    bars.end()


if __name__ == "__main__":
    main()
