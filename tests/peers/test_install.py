"""What `pip install .` makes of the checkout: these packages, and the command."""

import json
import os
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
USER = """
import asyncio
from pb_link.server import Connection, MemoryStore, SQLiteStore, StoreError, client_conn, run, wait_all
from pb_link.app_base import AppBase
print("imported", run.__module__, SQLiteStore.__name__)
"""


@pytest.fixture(scope="module")
def with_extras(tmp_path_factory, missing_tool):
    """A fresh environment as `pip install '.[mqtt,sim,grpc,web]'` in the checkout makes it."""
    folder = tmp_path_factory.mktemp("extras")
    from_index(missing_tool, *environment(folder), f"{ROOT}[mqtt,sim,grpc,web]")
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
    assert b"pip install 'pb-link[grpc]'" in done.stderr


@pytest.mark.parametrize("words", [["run", "--lines", "1"], ["board", "blink.py"], ["demo"]])
def test_simulator_of_the_wheel_says_what_needs_the_checkout(installed, micropython64, tmp_path, words):
    (tmp_path / "blink.py").write_text((ROOT / "examples/blink.py").read_text())
    done = subprocess.run(
        [installed[0] / "python", "-m", "pb_link.sim", *words], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": "", **dict.fromkeys(("MICROPYTHON", "MICROPYTHON_BRIDGE"), micropython64)},
    )  # fmt: skip
    assert done.returncode == 2 and "needs the checkout" in done.stderr and "--bed virtual" in done.stderr


def test_simulator_names_itself_as_it_was_called(installed, tmp_path):
    for python, module, cwd in ((installed[0] / "python", "pb_link.sim", tmp_path), (sys.executable, "sim", ROOT)):
        assert run(python, "-m", module, "--help", cwd=cwd).startswith(f"usage: python3 -m {module} ")


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
