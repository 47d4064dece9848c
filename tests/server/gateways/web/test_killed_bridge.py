"""A real server, a client and a bridge on simulated boards, and the page: an outage in the chart begins and ends."""

import asyncio
import json
import tomllib

from server.gateways.web.users import UserFile
from server.service.key_file import KeyFile
from sim.mpy.link_bed import LinkBed
from sim.wires import wifi
from tests.patience import PATIENCE_S
from tests.remote_i2c.web.javascript import Chromium
from tests.server.gateways.web.bed import CHEAP, PASSWORD
from tests.server.gateways.web.test_charts import TABLES
from tests.server.gateways.web.test_chromium import Page
from tests.server.gateways.web.test_with_clients import whole_server

PROGRAM = """
import asyncio
from pb_link.app_base import AppBase
from pb_link.bridge_reports import BridgeReports
from pb_link.config import config, conn_id, hardware

class App(AppBase):
    async def start(self):
        while True:
            await self.write("measured", wait=False)
            await asyncio.sleep(0.2)

app = App(conn_id, config, hardware)
BridgeReports(app)
asyncio.run(app.run())
"""
# Of the last ten minutes, by which the point of an outage of some seconds shows it.
CLOSE = "for (let count = 0; count < 3; count++) press('Zoom in'); await shows('Each point is 2 s');"
# How the shares of the time in which the client was connected follow each other, the oldest first: whole, less, whole.
COURSE = """
const course = () => rows('connected').reverse().map((row) => parseInt(row[1]))
  .filter((share) => !isNaN(share)).map((share) => share > 90 ? 'whole' : 'less')
  .filter((one, at, all) => one !== all[at - 1]).join(' ');
"""


def test_killed_bridge_is_an_outage_that_begins_and_ends(
    chromium_program, tmp_path, micropython64, micropython_bridge
):
    async def test(page, bed):
        await page.run(f"await logIn('vic'); await go('#/client/pump', 'What it did');{TABLES} await drawn();")
        await page.run("await until(() => one('h1 [data-state=connected]'), 'the client');")
        await page.run(f"one('[data-span=hour]').click(); {CLOSE} {TABLES} await open('connected');")
        wait = f"{TABLES} {COURSE} await until(() => course().endsWith('whole'), 'connected points');"
        await page.run(wait)
        await page.run("await until(() => one('.lines code')?.textContent === 'measured', 'a line');")
        await page.run("await shows('release 0.2.0, ');")
        await page.run("await shows('1 connection since its start, Wi-Fi \u221260 dBm');")
        bed.esp8266.boot_s = 6.0  # longer than the timeout, by which the server knows that nothing comes
        bed.esp8266.crash()
        await page.run("await until(() => one('h1 [data-state=away]'), 'the outage');")
        await page.run("await until(() => one('h1 [data-state=connected]'), 'its end');")
        shown = "await until(() => course().endsWith('whole less whole'), 'the outage in the chart');"
        await page.run(f"{TABLES} {COURSE} {shown}")
        await page.run("await until(() => one('.outages time'), 'its reason');")
        await page.picture("killed-bridge", height=1900)

    async def run():
        async with whole_server(tmp_path) as (_, browser):
            UserFile(tmp_path / "users.json", CHEAP).add("vic", "view", PASSWORD)
            settings = {
                "port": tomllib.loads((tmp_path / "x.toml").read_text())["port"], "server": "127.0.0.1", "ssid": "net",
                "password": "a password", "id": "pump", "timeout_ms": 1500, "report_s": 1,
                "key": KeyFile(tmp_path / "keys.json").read()["pump"].hex(),
            }  # fmt: skip
            (tmp_path / "pb_settings.json").write_text(json.dumps(settings))
            (tmp_path / "main.py").write_text(PROGRAM)
            bed = LinkBed(
                tmp_path / "main.py", client_cwd=tmp_path, interpreter=micropython64, boot_s=0.3,
                bridge_interpreter=micropython_bridge, on_line=print, log=print,
                air=wifi.Air(wifi.Network("net", "a password"), assoc_s=0.5),
            )  # fmt: skip
            try:
                await asyncio.wait_for(bed.power_on(), PATIENCE_S)
                async with Chromium.started(chromium_program) as chromium:
                    await test(Page(await chromium.page("http://%s:%d/" % browser._address)), bed)
            finally:
                await bed.close()

    asyncio.run(run())
