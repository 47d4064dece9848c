"""What `pip install .` makes of the checkout: these packages, and the command."""

import json
import os
import re
import subprocess
import sys
import urllib.request
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from protocol.version import RELEASE, release_text
from tests.patience import PATIENCE_S
from tests.peers.processes import ROOT
from tests.peers.wheel import environment, from_index, run
from tests.server.peer import free_port

# What a user may have beside the program: names of the checkout's folders.
IN_THE_WAY = ("server.py", "protocol.py", "primitives.py", "sim.py", "esp_link.py")
PROGRAM = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
OF_A_USER = """
def test_of_mine(real_link):
    found = []

    async def handler(conn):
        async for line in conn.lines(ahead=0):
            found.append(float(line))

    link = real_link("client.py", handler)
    link.run_until(lambda: len(found) > 2)
    link.inject("bridge-kill")
    link.run_until(lambda: len(found) > 5)
    assert found == [number + 0.5 for number in range(len(found))]
"""
CLIENT = """
import asyncio
from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware
from protocol.limits import MAX_LINE

class App(AppBase):
    async def start(self):
        for number in range(MAX_LINE):
            await self.write(str(number + 0.5))

asyncio.run(App(conn_id, config, hardware).run())
"""
USER = """
import asyncio
from pb_link.server import Connection, MemoryStore, SQLiteStore, StoreError, client_conn, run, wait_all
from pb_link.app_base import AppBase
print("imported", run.__module__, SQLiteStore.__name__)
"""


@pytest.fixture(scope="module")
def with_extras(tmp_path_factory, missing_tool):
    """A fresh environment as `pip install '.[mqtt,sim,grpc,web,test]'` in the checkout makes it."""
    folder = tmp_path_factory.mktemp("extras")
    from_index(missing_tool, *environment(folder), f"{ROOT}[mqtt,sim,grpc,web,test]")
    return folder / "bin"


def test_wheel_holds_the_packages_and_nothing_else(installed):
    names = {Path(name).parts[0] for name in zipfile.ZipFile(installed[1]).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"pb_link"}


def test_wheel_says_what_it_is(installed):
    with zipfile.ZipFile(installed[1]) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        about = message_from_string(archive.read(name).decode())
        assert "pb_link/py.typed" in archive.namelist() and "pb_link/server/__init__.pyi" in archive.namelist()
    assert about["Name"] == "pb-link" and about["License-Expression"] == "MIT" and about["Requires-Python"] == ">=3.11"
    assert {"micropython", "esp8266", "i2c"} <= set(about["Keywords"].split(","))
    assert {"Typing :: Typed", "Framework :: AsyncIO"} <= set(about.get_all("Classifier"))
    urls = [text.partition(", ")[2] for text in about.get_all("Project-URL")]
    assert urls and all(url.startswith("https://") for url in urls)
    assert not any("file://" in text for text in about.get_all("Requires-Dist"))
    assert about.get_payload().startswith("# pb_link\n")


def test_files_with_the_names_of_our_folders_do_no_harm_beside_the_wheel(installed, tmp_path):
    for name in IN_THE_WAY:
        (tmp_path / name).write_text("raise SystemExit('the wrong module')")
    (tmp_path / "program.py").write_text(USER)
    python = installed[0] / "python"
    assert run(python, "program.py", cwd=tmp_path) == "imported pb_link.server SQLiteStore\n"
    assert "pb-link serve" in run(python, "-m", "pb_link.server", "--help", cwd=tmp_path)


def in_checkout(python, words, cwd, place=ROOT):
    """Run an interpreter that finds the packages of the checkout after what lies in cwd."""
    paths = {"PYTHONPATH": str(place), "MICROPYPATH": f":.frozen:{place}"}
    return subprocess.run([python, *words], cwd=cwd, capture_output=True, text=True, env={**os.environ, **paths})


@pytest.mark.parametrize("name", ["server.py", "protocol.py", "primitives/__init__.py"])
def test_file_beside_a_program_of_the_checkout_that_hides_a_folder_is_named(tmp_path, micropython64, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise SystemExit('the wrong module')")
    (tmp_path / "program.py").write_text(USER)
    found = name.removesuffix("/__init__.py")
    for python in (sys.executable, micropython64):
        for words in (["program.py"], ["-m", "pb_link.s_app"]):
            done = in_checkout(python, words, tmp_path)
            assert done.returncode == 1, done.stdout
            assert f"{found} has the name of a folder of pb_link and is found first. Rename it" in done.stderr


def test_program_of_the_checkout_finds_the_server_by_either_name(tmp_path, micropython64):
    (tmp_path / "link").symlink_to(ROOT)  # the same folder by another name is no other one
    (tmp_path / "server").mkdir()  # a folder without Python files hides nothing from CPython
    code = "import server; from pb_link.server import run; print(run is server.run)"
    for python, cwd in ((sys.executable, ROOT), (sys.executable, tmp_path), (micropython64, ROOT)):
        for place in (ROOT, tmp_path / "link"):
            done = in_checkout(python, ["-c", code], cwd, place)
            assert done.stdout == "True\n", done.stderr
    done = in_checkout(sys.executable, ["-c", USER], tmp_path)
    assert done.stdout == "imported server SQLiteStore\n", done.stderr


def test_command_works_where_it_is_installed(installed, tmp_path):
    command = installed[0] / "pb-link"
    key = json.loads(run(command, "keys", "add", "pump", "--json", cwd=tmp_path))["key"]
    assert len(key) == 64 and "pump" in run(command, "keys", "list", cwd=tmp_path)
    assert "pb-link serve" in run(installed[0] / "python", "-m", "pb_link.server", "--help", cwd=tmp_path)


def test_installed_release_is_told_by_wheel_command_and_package(installed, tmp_path):
    release = release_text(RELEASE)
    assert installed[1].name == f"pb_link-{release}-py3-none-any.whl"
    for words in (["pb-link"], ["python", "-m", "pb_link.server"]):
        assert run(installed[0] / words[0], *words[1:], "--version", cwd=tmp_path) == f"pb-link {release}\n"
    code = "import pb_link; print(pb_link.__version__)"
    assert run(installed[0] / "python", "-c", code, cwd=tmp_path) == f"{release}\n"


def test_simulator_runs_where_its_extra_is_installed(with_extras, tmp_path):
    python = with_extras / "python"
    words = ("-m", "pb_link.sim", "run", "--bed", "virtual", "--lines", "40", "--faults", "bridge-kill=1", "--json")
    result = json.loads(run(python, *words, cwd=tmp_path).splitlines()[-1])
    assert result["client_to_server"]["delivered"] == 40 and result["client_to_server"]["lost"] == 0
    found = run(python, "-c", "from pb_link import sim; print(sim.__file__)", cwd=tmp_path)
    assert found.startswith(str(with_extras.parent))


SMBUS_PROGRAM = """
import subprocess, sys
from pb_link.smbus import SMBus
words = [sys.argv[1], "smbus", "serve", "--bus", "1=sim:room.json", "--listen", "127.0.0.1:" + sys.argv[2]]
with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as server:
    while "Server started" not in server.stderr.readline():
        pass
    with SMBus("grpc://127.0.0.1:" + sys.argv[2] + "/1") as bus:
        print(hex(bus.read_word_data(0x48, 0x0F)))
    server.terminate()
    server.communicate()
"""


def test_smbus_over_grpc_works_where_its_extra_is_installed(with_extras, tmp_path):
    (tmp_path / "room.json").write_text('[{"type": "TMP117", "address": "0x48"}]')
    (tmp_path / "program.py").write_text(SMBUS_PROGRAM)
    words = (with_extras / "python", "program.py", with_extras / "pb-link", free_port())
    assert run(*words, cwd=tmp_path) == "0x1701\n"


def test_smbus_says_which_extra_it_needs(installed, tmp_path):
    done = subprocess.run([installed[0] / "python", "-c", "import pb_link.smbus"], cwd=tmp_path, capture_output=True)
    assert b"pip install '.[grpc]' in the checkout" in done.stderr


def simulated(installed, tmp_path, path, *words):
    """`pb-link sim` of the wheel, with what is in `path` in front of PATH."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MICROPYTHON")}
    return subprocess.run(
        [installed[0] / "pb-link", "sim", *words], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**environment, "PYTHONPATH": "", "PATH": f"{path}:/usr/bin:/bin"},
    )  # fmt: skip


def test_simulator_of_the_wheel_runs_boards_where_there_is_a_micropython(
    installed, micropython64, default_port, tmp_path
):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "micropython").symlink_to(micropython64)
    (tmp_path / "client.py").write_text("import pb_link.pb_client\n")
    done = simulated(
        installed, tmp_path, tmp_path / "bin", "up", "--client", "client.py", "--demo-server", "--seconds", "12",
        "--boot-ms", "100", "--assoc-ms", "100", "--faults", "bridge-kill=1", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["clients"]["demo"]["server_to_client"]["acknowledged"] > 3
    assert result["read_by_the_server"]["in_order"]
    (tmp_path / "uart.py").write_text((ROOT / "examples" / "i2c_uart.py").read_text())  # imports i2c_devices
    done = simulated(installed, tmp_path, tmp_path / "bin", "board", "uart.py")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["board", "blink.py"], "no MicroPython 1.25 or newer"),
        (["demo"], "no MicroPython 1.25 or newer"),
        (["sensors-demo"], "run it in the checkout"),
    ],
)
def test_simulator_of_the_wheel_says_what_it_needs(installed, tmp_path, words, said):
    (tmp_path / "blink.py").write_text((ROOT / "examples/blink.py").read_text())
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "micropython").write_text("#!/bin/sh\necho micropython 1 24 True\n")
    (tmp_path / "bin" / "micropython").chmod(0o755)
    done = simulated(installed, tmp_path, tmp_path / "bin", *words)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_simulator_names_itself_as_it_was_called(installed, tmp_path):
    for python, module, cwd in ((installed[0] / "python", "pb_link.sim", tmp_path), (sys.executable, "sim", ROOT)):
        assert run(python, "-m", module, "--help", cwd=cwd).startswith(f"usage: python3 -m {module} ")
    assert run(installed[0] / "pb-link", "sim", "up", "--help", cwd=tmp_path).startswith("usage: pb-link sim up ")


def test_simulator_of_the_wheel_does_what_that_of_the_checkout_does(installed, tmp_path):
    words = ("sim", "soak", "--seeds", "0:3", "--faults", "all", "--lines", "60", "--json")
    of_the_checkout = run(sys.executable, "-m", *words, cwd=ROOT)
    assert run(installed[0] / "python", "-m", f"pb_link.{words[0]}", *words[1:], cwd=tmp_path) == of_the_checkout
    assert json.loads(of_the_checkout.splitlines()[-1])["seeds"] == 3


def test_types_of_sensors_are_in_the_wheel(installed, tmp_path):
    code = "from pb_link.sensor_bus.records import standard_records; print(standard_records().number('AHT20'))"
    assert run(installed[0] / "python", "-c", code, cwd=tmp_path) == "0\n"


def test_nothing_else_is_there_without_the_extra(installed, tmp_path):
    ours = ("server", "protocol", "primitives", "i2c_devices", "sim", "esp_link", "sensor_bus", "build")
    for name in (*ours, "aiomqtt"):
        code = f"import importlib.util; print(importlib.util.find_spec('{name}'))"
        assert run(installed[0] / "python", "-c", code, cwd=tmp_path) == "None\n"


def test_gateway_says_which_extra_it_needs(installed, with_extras, tmp_path):
    (tmp_path / "x.toml").write_text('store = "x.db"\n[mqtt]\nhost = "127.0.0.1"\nport = 9')
    checked = []
    for folder in (installed[0], with_extras):
        checked.append(subprocess.run(
            [folder / "pb-link", "check", "--config", "x.toml"], cwd=tmp_path, capture_output=True, text=True,
        ))  # fmt: skip
    assert "mqtt: [mqtt] needs the extra" in checked[0].stdout and "'.[mqtt]'" in checked[0].stdout
    assert "mqtt: 127.0.0.1:9 takes no connection" in checked[1].stdout


def test_web_i2c_is_served_from_the_wheel(installed, with_extras, tmp_path):
    (tmp_path / "plan.json").write_text('[{"type": "TMP117"}]')
    words = ["web-i2c", "serve", "--bus", "1=sim:plan.json", "--addresses", "0x48", "--listen", "127.0.0.1:0", "--json"]
    done = subprocess.run([installed[0] / "pb-link", *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "needs the extra web" in done.stderr
    with subprocess.Popen([with_extras / "pb-link", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as door:
        try:
            address = json.loads(door.stderr.readline())["addresses"][0]
            for path, text in (("/", b"<h1>Web I2C</h1>"), ("/web_i2c.js", b"requestI2CAccess"), ("/try.js", b"scan")):
                with urllib.request.urlopen(f"http://{address}{path}", timeout=PATIENCE_S) as answer:
                    assert text in answer.read()
        finally:
            door.terminate()
        assert door.wait() == 0


def test_editable_installation_is_refused(installed, tmp_path):
    words = ("-m", "pip", "install", "--quiet", "--target", tmp_path, "--editable", ROOT)
    with pytest.raises(AssertionError, match="cannot be installed as editable.* Install a copy"):
        run(sys.executable, *words)


def test_build_leaves_nothing_in_the_checkout(installed):
    left = subprocess.run(["git", "status", "--porcelain", "--ignored", "build", "dist"], cwd=ROOT, capture_output=True)
    found = [line for line in left.stdout.decode().splitlines() if "__pycache__" not in line and line.startswith("!!")]
    assert not found


def test_plugin_of_pytest_runs_the_tests_of_a_user_where_its_extra_is_installed(with_extras, tmp_path):
    client, application, test = PROGRAM.findall((ROOT / "docs" / "testing.md").read_text())
    for name, text in (("thermometer", client), ("application", application), ("test_thermometer", test)):
        (tmp_path / f"{name}.py").write_text(text)
    assert "1 passed" in run(with_extras / "python", "-m", "pytest", "-q", cwd=tmp_path)


def test_real_link_runs_in_the_micropython_that_is_named(with_extras, tmp_path, monkeypatch, micropython64):
    monkeypatch.setenv("MICROPYTHON", micropython64)
    monkeypatch.delenv("MICROPYTHON_BRIDGE", raising=False)
    (tmp_path / "client.py").write_text(CLIENT)
    (tmp_path / "test_mine.py").write_text(OF_A_USER)
    assert "1 passed" in run(with_extras / "python", "-m", "pytest", "-q", cwd=tmp_path)
