"""`sim demo --web`: the link of the demo under faults, again and again, and the web page that shows it.

The server is `pb-link serve` with a section [web], in a process of its own. Whoever is on this computer may look, and
send lines. Nothing of it stays: it lives in a temporary folder.
"""

import asyncio
import json
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from server.service.key_file import KeyFile
from sim.apps import answering
from sim.mpy import interpreters, link_bed, ready_settings
from sim.mpy.fault_schedule import Rounds
from sim.mpy.link_bed import LinkBed
from sim.mpy.playground import Client, Playground
from sim.mpy.server_process import ServerProcess, free_port
from sim.mpy.shown import view_of
from sim.mpy.summary import print_summary
from sim.root import SIM
from sim.wires import wifi

CLIENT = SIM / "apps" / "reporting_client.py"
NEEDED = ("starlette", "uvicorn", "websockets")
ROUNDS = ("bridge-kill", "wifi-outage", "server-restart", "i2c-bitflip")
APART_S = 12.0  # between two of these, so that the page shows each recovery
SERVER = "server.__main__"
START_S = 60
LISTENS = "web_listening"

_TOML = """\
port = {port}
host = "127.0.0.1"
keys = "keys.json"
store = "demo.db"
app = {app}

[web]
listen = "{web}"
anonymous = "send"
"""


class WebServer(ServerProcess):
    """`pb-link serve` with the web page, for the client of the settings in a folder. `listens`: an Event that is set
    when the page can be asked for. Args: web: HOST:PORT of the page; on_line(text)."""

    def __init__(self, folder, web, on_line):
        self.listens = asyncio.Event()
        self._show = on_line
        settings = json.loads((folder / ready_settings.FILE).read_text())
        KeyFile(folder / "keys.json").add(settings["id"], settings["key"])
        app = json.dumps(f"{answering.__name__}:{answering.handler.__name__}")
        text = _TOML.format(port=settings["port"], app=app, web=web)
        (folder / "pb_link.toml").write_text(text, encoding="utf-8")
        super().__init__(SERVER, ("serve", "--config", "pb_link.toml"), cwd=folder, on_line=self._line)

    def _line(self, line):
        if LISTENS in line:
            self.listens.set()
        self._show(line)


def require_web():
    """Raises ValueError that says what to do if the libraries of the page are not installed."""
    absent = [name for name in NEEDED if find_spec(name) is None]
    if absent:
        raise ValueError(
            f"the web page needs {', '.join(absent)}: in the checkout  make demo-web  installs them, or  "
            "pip install '.[web]'"
        )


async def web_demo(options):
    """Returns the exit status."""
    require_web()
    view = view_of(options, 1)
    interpreter = interpreters.find()
    with tempfile.TemporaryDirectory(prefix="pb_link_demo_") as folder:
        folder = Path(folder)
        settings = {
            "port": free_port(), "server": "127.0.0.1", "timeout_ms": 1500, "report_s": 5, "ssid": "demo",
            "password": "demo password",
        }  # fmt: skip
        ready_settings.make(folder, "demo", settings)
        web = f"127.0.0.1:{options.port or free_port()}"
        server = WebServer(folder, web, lambda line: view.line("demo", "server", line) if options.verbose else None)
        bed = LinkBed(
            CLIENT,
            client_cwd=folder,
            interpreter=interpreter,
            **link_bed.bridge_of(options, folder),
            on_line=lambda who, line: view.line("demo", who, line) if options.verbose else None,
            log=lambda who, text: view.event("demo", who, text),
            air=wifi.Air(assoc_s=options.assoc_ms / 1000),
            boot_s=options.boot_ms / 1000,
            clock_hz=options.clock,
        )
        client = Client("demo", bed, None, view, seed=1)
        rounds = Rounds(ROUNDS, APART_S)
        playground = Playground([client], server, rounds, view, options.seconds)
        view.begin(playground)
        telling = asyncio.ensure_future(_tell(server, web, view))
        try:
            return await playground.run()
        finally:
            telling.cancel()
            await asyncio.shield(playground.close())
            view.end()
            seconds = round(playground.elapsed_s, 3)
            print_summary({"seconds": seconds, "clients": {client.name: client.counts()}}, sys.stdout)


async def _tell(server, web, view):
    try:
        async with asyncio.timeout(START_S):
            await server.listens.wait()
    except TimeoutError:
        view.note(f"the web page did not come within {START_S} s: --verbose shows what its server says")
        return
    view.note(f"the web page: http://{web}/   (a fault every {APART_S:.0f} s: {', '.join(ROUNDS)}; Ctrl-C ends it)")
