"""`pb-link web-i2c serve`: what is wrong with its arguments, and that it serves until it is told to end."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from server.service import cli
from tests.patience import PATIENCE_S
from tests.remote_i2c.web.doors import TOKEN, Page, probed

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps([{"type": "TMP117"}, {"type": "SHT31"}]), encoding="utf-8")
    return f"sim:{path}"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "no bus is named"),
        (["--bus", "1"], "NAME=BUS is needed"),
        (["--bus", "1=nothing"], "no address may be used"),
        (["--bus", "1=nothing", "--addresses", "all"], "names no bus"),
        (["--bus", "1=a", "--bus", "1=b"], "a bus 1 already"),
        (["--bus", "1=a", "--addresses", "2=all"], "there is no bus 2"),
        (["--bus", "1=client:pump:0", "--addresses", "all"], "no server runs here"),
        (["--bus", "1=PLAN", "--addresses", "all", "--listen", "0.0.0.0:1"], "give a token"),
        (["--bus", "1=PLAN", "--addresses", "all", "--listen", "0.0.0.0:1", "--plain"], "give a token"),
        (["--bus", "1=PLAN", "--addresses", "all", "--listen", "0.0.0.0:1", "--token-file", "TOKEN"], "--plain"),
        (["--bus", "1=PLAN", "--addresses", "all", "--tls-key", "k"], "belong together"),
        (["--bus", "1=PLAN", "--addresses", "all", "--token-file", "/nowhere"], "/nowhere"),
    ],
)
def test_what_cannot_be_served_is_said(capsys, plan, tmp_path, arguments, says):
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    words = [part.replace("PLAN", plan).replace("TOKEN", str(token)) for part in arguments]
    assert cli.main(["web-i2c", "serve", *words]) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal(plan, number):
    async def play():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server", "web-i2c", "serve", "--json", "--bus", f"1={plan}", "--addresses", "0x48",
            "--listen", "127.0.0.1:0", cwd=ROOT, env=os.environ | {"PB_LINK_WEB_TOKEN": TOKEN},
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PATIENCE_S):
                line = json.loads(await process.stderr.readline())
                assert line["event"] == "web_i2c_listening"
                async with connect(f"ws://{line['addresses'][0]}/i2c", proxy=None) as socket:
                    page = Page(socket)
                    await page.send(b"\x01\x01" + TOKEN.encode())
                    await page.receive()
                    for address, answer in ((0x48, b"\1"), (0x44, "InvalidAccessError")):
                        await page.send(probed(1, address))
                        assert (await page.answer())[1] == answer
                    process.send_signal(number)
                    assert (await page.closed())[0] == 1012
                assert await process.wait() == 0
                events = [json.loads(line)["event"] for line in (await process.stderr.read()).splitlines()]
                assert events == ["web_i2c_opened", "web_i2c_closed"]
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    asyncio.run(play())
