"""`sim sensors-demo`: what is plugged in is at the server by itself, and its story fails when a part of it does."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from sim.cli import main
from sim.mpy import sensors_demo
from sim.mpy.demo import APPLICATION_FAILED, DemoFailed
from sim.mpy.sensors_demo import SensorsDemo
from tests.patience import PATIENCE_S

AHT20, FIRST, OTHER = "1_38", "1_148", "1_448"


def test_sensor_is_plugged_in_pulled_and_plugged_in_elsewhere(micropython64, micropython_chip, capfd, monkeypatch):
    monkeypatch.setenv("MICROPYTHON", str(micropython64))
    monkeypatch.setenv("MICROPYTHON_CHIP", str(micropython_chip))
    monkeypatch.setattr(sensors_demo, "LIMIT_S", 4 * PATIENCE_S)
    status = main(["sensors-demo", "--boot-ms", "100", "--assoc-ms", "100"])
    output = capfd.readouterr()
    assert status == 0, output.out + output.err
    *lines, verdict, result = output.out.splitlines()
    assert verdict == "all that was plugged in was at the server by itself"
    result = json.loads(result)
    assert result["ok"] and result["events"] == [
        ["values", AHT20, "AHT20"], ["values", FIRST, "TMP117"], ["gone", FIRST], ["values", OTHER, "TMP117"],
    ]  # fmt: skip
    values = [line for line in lines if "TMP117     temperature=" in line]
    assert len(values) >= 6 and all(line.endswith("temperature=21.5") for line in values)


def demo():
    one = SensorsDemo(SimpleNamespace(verbose=False))
    one._begin = 0
    one._viewer = one._server = SimpleNamespace(status=None)
    one._bed = SimpleNamespace(client=SimpleNamespace(alive=True))
    return one


def waits_in_vain(one):
    asyncio.run(asyncio.wait_for(one._until(lambda: False), PATIENCE_S))


def test_demo_fails_at_once_when_the_application_of_its_client_fails():
    one = demo()
    one._board_line("client", APPLICATION_FAILED)
    with pytest.raises(DemoFailed, match="the client's application has failed"):
        waits_in_vain(one)


def test_demo_takes_readings_and_fails_at_once_when_pb_link_sensors_ends():
    one = demo()
    one._viewer_line("2026-11-29 10:05:13.679  1_448    TMP117     temperature=21.5")
    one._viewer_line("pb-link: there is no client 'mast'")
    assert one.lines == [("1_448", "TMP117", "temperature=21.5")]
    one._viewer = SimpleNamespace(status=1)
    with pytest.raises(DemoFailed, match="pb-link sensors ended: pb-link: there is no client 'mast'"):
        waits_in_vain(one)


def test_demo_fails_at_once_when_one_of_its_programs_ends():
    one = demo()
    one._bed.client.alive = False
    with pytest.raises(DemoFailed, match="the client's program ended"):
        waits_in_vain(one)
    one = demo()
    one._server = SimpleNamespace(status=1)
    with pytest.raises(DemoFailed, match="the server's program ended"):
        waits_in_vain(one)
