"""`sim demo`, with short spells of traffic: what a new user runs first works to its last line."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from pb_link import runner
from sim.cli import main
from sim.mpy import demo
from sim.mpy.demo import Demo, DemoFailed
from tests.patience import PATIENCE_S


def test_demonstration_ends_with_a_table_and_a_result(micropython64, micropython_chip, capfd, monkeypatch):
    monkeypatch.setenv("MICROPYTHON", str(micropython64))
    monkeypatch.setenv("MICROPYTHON_CHIP", str(micropython_chip))
    monkeypatch.setattr(demo, "TRAFFIC_S", 0.2)
    monkeypatch.setattr(demo, "WIFI_AWAY_S", 0.5)
    status = main(["demo", "--boot-ms", "100", "--assoc-ms", "100"])
    output = capfd.readouterr()
    assert status == 0, output.out + output.err
    *_, verdict, result = output.out.splitlines()
    assert verdict == "nothing was lost, duplicated, reordered or corrupted"
    result = json.loads(result)
    assert result["ok"] and result["resets"] >= 1 and result["outages"] >= 2


def test_demo_fails_at_once_when_the_application_of_its_client_fails():
    # `run` would start it again, and the demo would hide it.
    assert f'print("{demo.APPLICATION_FAILED}")' in Path(runner.__file__).read_text(encoding="utf-8")
    one = Demo(SimpleNamespace(verbose=False))

    async def story():
        one._line("client", demo.APPLICATION_FAILED)
        await one._until(lambda: False)

    with pytest.raises(DemoFailed, match="the client's application has failed"):
        asyncio.run(asyncio.wait_for(story(), PATIENCE_S))
