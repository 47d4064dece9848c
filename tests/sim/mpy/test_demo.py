"""`sim demo`, with short spells of traffic: what a new user runs first works to its last line."""

import json

from sim.cli import main
from sim.mpy import demo


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
