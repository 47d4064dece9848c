"""The page behind a real nginx with TLS and a path prefix, as docs/web.md configures it."""

import asyncio
import contextlib
import re
import shutil
import ssl
from pathlib import Path

import pytest

from server.gateways.web import live
from tests.remote_i2c.conftest import make_certificate
from tests.server.gateways.web.bed import Browser, Fleet, served
from tests.server.peer import free_port, open_stream, until, within

ROOT = Path(__file__).resolve().parents[4]
NAME = "desk.example"
# The settings that docs/web.md names for this.
BEHIND = {"prefix": "/pb_link", "proxy": "127.0.0.1", "hosts": [NAME]}
WHOLE = """
daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name desk.example;
        ssl_certificate {chain}; ssl_certificate_key {key};
        {location}
        location / {{ return 404; }}
    }}
}}
"""


@pytest.fixture
def nginx(missing_tool):
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        missing_tool("nginx is not installed; Debian's package nginx-light has it")
    return program


def location_of_the_document():
    text = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")
    for setting in ('`prefix = "/pb_link"`', '`proxy = "127.0.0.1"`', '`hosts = ["desk.example"]`'):
        assert setting in text
    [block] = re.findall(r"```text\n(location .*?)```", text, re.DOTALL)
    return block


@contextlib.asynccontextmanager
async def behind(nginx, folder, missing_tool, fleet):
    """Gives what `served` gives, with `browser` behind nginx."""
    async with served(folder, fleet, **BEHIND) as found:
        key, chain = make_certificate(folder, missing_tool)
        port, location = free_port(), location_of_the_document()
        assert location.count("127.0.0.1:8081") == 1
        location = location.replace("127.0.0.1:8081", "127.0.0.1:%d" % found.gateway.address[1])
        config = folder / "nginx.conf"
        config.write_text(WHOLE.format(folder=folder, port=port, key=key, chain=chain, location=location))
        process = await asyncio.create_subprocess_exec(nginx, "-p", folder, "-c", config, "-e", "stderr")
        try:
            _, writer = await open_stream(port)
            writer.close()
            tls = ssl.create_default_context(cafile=chain)
            tls.check_hostname = False
            found.browser = lambda prefix="/pb_link": Browser(("127.0.0.1", port), prefix, tls, NAME)
            found.origin = f"https://{NAME}:{port}"
            yield found
        finally:
            process.terminate()
            await process.wait()


def test_page_logs_in_sends_and_lives_behind_nginx_below_its_prefix(tmp_path, nginx, missing_tool):
    async def test():
        fleet = Fleet("pump")
        async with behind(nginx, tmp_path, missing_tool, fleet) as found:
            browser = found.browser()
            page = await browser.get("/")
            assert page.status == 200 and b'src="page/app.js"' in page.body
            assert (await browser.get("/page/app.js")).headers["content-type"].startswith("text/javascript")
            assert (await browser.get("/api/me")).status == 401
            assert (await found.browser("").get("/api/me")).status == 404  # nginx's own

            cookie = (await browser.log_in("sam")).headers["set-cookie"].lower().split("; ")
            assert {"httponly", "secure", "samesite=strict", "path=/pb_link"} <= set(cookie)
            # nginx says who asks, and not who it is itself.
            assert ("web_login", None, {"user": "sam", "peer": "127.0.0.1"}) in found.told

            lines = "/api/clients/pump/lines"
            assert (await browser.post(lines, {"line": "open"})).status == 200
            older = {"sec_fetch_site": None, "origin": found.origin}
            assert (await browser.post(lines, {"line": "again"}, **older)).status == 200
            for foreign in (
                {"sec_fetch_site": "cross-site", "origin": "https://evil.example"},
                {"sec_fetch_site": None, "origin": "https://evil.example"}, {"sec_fetch_site": None},
            ):  # fmt: skip
                assert (await browser.post(lines, {"line": "forged"}, **foreign)).status == 403
            assert fleet.clients["pump"].lines == ["open", "again"]

    asyncio.run(within(test()))


def test_stream_is_not_held_back_by_nginx(tmp_path, nginx, missing_tool):
    async def test():
        fleet = Fleet("pump")
        async with behind(nginx, tmp_path, missing_tool, fleet) as found:
            browser = found.browser()
            await browser.log_in("vic")
            async with browser.stream("/api/events?view=client&id=pump") as event:
                assert (await event())[0] == "snapshot"
                fleet.receive("pump", b"hello")
                assert (await event())[1]["lines"][0]["text"] == "hello"
            # The proxy tells that the viewer has gone.
            await until(lambda: not found.gateway.live.viewers, "the end of the stream")

    asyncio.run(within(test()))


def test_without_its_header_nginx_would_hold_the_stream_back(tmp_path, nginx, missing_tool, monkeypatch):
    """So the test above can fail."""
    without = tuple(header for header in live._HEADERS if header[0] != b"x-accel-buffering")
    monkeypatch.setattr(live, "_HEADERS", without)

    async def test():
        async with behind(nginx, tmp_path, missing_tool, Fleet("pump")) as found:
            browser = found.browser()
            await browser.log_in("vic")
            reader, writer = await browser._begin("GET", "/api/events?view=client&id=pump", None, {})
            waiting = asyncio.create_task(reader.read(1))
            await until(lambda: found.gateway.live.viewers, "the stream")
            for _ in range(20):  # in which two ticks' events would have come
                found.fleet.receive("pump", b"hello")
                await asyncio.sleep(0.05)
            assert not waiting.done()
            waiting.cancel()
            writer.close()

    asyncio.run(within(test()))
