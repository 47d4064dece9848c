"""`pb-link sensors ID` as one command: clients on virtual boards, `pb-link serve`, and its admin socket."""

import contextlib
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from build.install import sensor_types
from server.service.key_file import KeyFile
from tests.peers.processes import ROOT, START_S, running, up, write_settings

DEVICES = [
    {"type": "PCA9548A"},
    {"type": "AHT20", "values": {"temperature": 20.0, "humidity": 40}},
    {"type": "TMP117", "slot": 1, "values": {"temperature": 21.5}},
]
AHT20, TMP117 = "1_38", "1_148"
CLIENT = ROOT / "examples" / "sensor_client.py"


@pytest.fixture
def boards(micropython64, micropython_bridge):
    return {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}


@pytest.fixture
def server(tmp_path, monkeypatch):
    """`pb-link serve` in the current folder, with the clients "mast" and "away"; the settings are those of "mast"."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    settings = write_settings(tmp_path)
    settings["id"] = "mast"
    (tmp_path / "pb_settings.json").write_text(json.dumps(settings))
    keys = KeyFile("keys.json")
    keys.add("mast", settings["key"])
    keys.add("away")
    with running([sys.executable, "-m", "server", "serve", "--port", settings["port"]], tmp_path) as program:
        program.wait_for("started")
        yield program


@contextlib.contextmanager
def mast(folder, boards, devices):
    (folder / "sensor_types.py").write_text(sensor_types.source(("AHT20", "TMP117"), [sensor_types.OWN]))
    (folder / "sensors.json").write_text(json.dumps(devices))
    shutil.copyfile(CLIENT, folder / CLIENT.name)
    with running(up(CLIENT.name, "--sensors", "sensors.json"), folder, **boards) as client:
        yield client


def sensors(*words):
    return [sys.executable, "-m", "server", "sensors", *words]


def ended(*words):
    return subprocess.run(sensors(*words), capture_output=True, text=True, timeout=START_S)


@contextlib.contextmanager
def shown_on_a_terminal(*words):
    """A function (text) that waits until a terminal, on which the command runs, shows the text; returns what it shows
    since it was drawn last. At the end the process is interrupted, and has to end without a word."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(sensors(*words), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = ""

    def see(*texts):
        nonlocal shown
        limit = time.monotonic() + START_S
        while not all(text in (last := shown.rpartition("\x1b[J")[2]) for text in texts):
            assert time.monotonic() < limit, shown
            shown += os.read(ours, 4096).decode()
        return last

    try:
        yield see
        process.send_signal(signal.SIGINT)
        assert process.wait(START_S) == 1
        with contextlib.suppress(OSError):  # closed
            while more := os.read(ours, 4096):
                shown += more.decode()
        assert "Traceback" not in shown and "pb-link:" not in shown
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_readings_are_shown_as_lines_json_rows_and_a_table(tmp_path, server, boards):
    with mast(tmp_path, boards, DEVICES):
        with running(sensors("mast"), tmp_path) as lines:
            text = lines.wait_for(TMP117)
            assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d [\d:.]{{12}}  {TMP117}    TMP117     temperature=21\.5", text)
            began = time.time()
            lines.process.send_signal(signal.SIGINT)
            lines.wait_for_end()
            assert lines.process.wait() == 1 and "Traceback" not in "\n".join(lines.lines)
        with running(sensors("mast", "--json"), tmp_path) as objects:
            found = json.loads(objects.wait_for(f'"device": "{TMP117}"', count=2))
            assert (found["type"], found["values"], found["invalid"]) == ("TMP117", {"temperature": 21.5}, [])
            assert found["units"] == {"temperature": "°C"} and found["raw"] == "0ac0"
            assert abs(found["time"] - began) < START_S
        with running(sensors("mast", "--json", "--csv", "mast.csv"), tmp_path) as rows:
            rows.wait_for(AHT20)
            rows.wait_for(TMP117)
        with open("mast.csv", encoding="utf-8", newline="") as file:
            found = {(row["device"], row["name"]): row for row in csv.DictReader(file)}
        assert float(found[AHT20, "humidity"]["value"]) == pytest.approx(40, abs=0.1)
        row = found[TMP117, "temperature"]
        assert (row["type"], row["value"], row["unit"], row["valid"]) == ("TMP117", "21.5", "°C", "1")
        with shown_on_a_terminal("mast") as see:
            table = see(AHT20, TMP117, "21.5").splitlines()
        assert table[0].split() == ["DEVICE", "TYPE", "VALUE", "AGE"]
        assert [line.split()[:5] for line in table if TMP117 in line] == [
            [TMP117, "TMP117", "temperature", "21.5", "°C"]
        ]


def test_client_without_a_device_has_a_note(tmp_path, server, boards):
    with mast(tmp_path, boards, DEVICES[:1]):
        server.wait_for("channel_used client=mast channel=6")
        with running(sensors("mast"), tmp_path) as viewer:
            viewer.wait_for("pb-link: mast has no device on its bus now: what is plugged in is shown")
            assert viewer.process.poll() is None


def test_client_that_is_absent_or_unknown_is_told(tmp_path, server):
    with running(sensors("away"), tmp_path) as viewer:
        viewer.wait_for("pb-link: away is not connected: its samples are shown when it is")
        assert viewer.process.poll() is None
    unknown = ended("nobody")
    assert unknown.returncode == 1 and unknown.stdout == ""
    assert unknown.stderr == "pb-link: there is no client 'nobody': pb-link keys add nobody makes one\n"
    assert list(json.loads(ended("nobody", "--json").stderr)) == ["error"]
    server.stop()
    none = ended("away")
    assert none.returncode == 1 and "no server runs here" in none.stderr


def test_client_that_has_no_sensors_is_told(tmp_path, server, boards):
    with running(up(ROOT / "examples" / "client.py"), tmp_path, **boards):
        server.wait_for("connected client=mast")
        without = ended("mast")
        assert without.returncode == 1 and without.stdout == ""
        assert "does its program run a SensorService" in without.stderr and len(without.stderr.splitlines()) == 1
