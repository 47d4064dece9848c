"""The sensor bus as boards install it: what the compiled folder and the image hold, and that programs run with them."""

import ast
import json
import os
import re
import subprocess
import sys

import pytest

from build.install import client_package, sensor_package
from build.tools.cache import ROOT
from tests.peers.processes import running, up, write_settings

# What the documents tell programs to import, and what a Device shows them.
PUBLIC = """
from sensor_bus.bus import MachineI2C, Records, SensorBus
from sensor_bus import bus, port, records
from sensor_bus.errors import Barred, BusStuck, NoAnswer, QueueFull, TimedOut
from sensor_bus.service import SensorService
from sensor_bus.decode import readings, shown, units
from sensor_bus.devjson import decode_devjson, encode_devjson
from sensor_bus.address import device_id, join, parse_address
assert port.MachineI2C is MachineI2C and records.Records is Records
print(bus.__file__, device_id(1, join(0x38)))
"""
ADDED = """
import json
from sensor_bus.bus import Records, SensorBus
class Port:
    lines = None
with open("record.json") as file:
    record = json.load(file)
bus = SensorBus(Port(), Records())
print(bus.add_type(record), bus.records.name(0), bus.records.interval_us(0))
try:
    bus.add_type(dict(record, deviceType="Other", addresses="0x99"))
except ValueError as error:
    print(error)
"""

# A board with client and sensor bus, both joined, and a server that reads, asks and changes.
CLIENT = """
import asyncio
import sensor_types
from machine import I2C, Pin
from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware
from sensor_bus import bus, service
print("from", bus.__file__, service.__file__)
def make():
    return I2C(2, freq=400000)
class App(AppBase):
    def start(self):
        port = bus.MachineI2C(make(), scl=Pin("Y9"), sda=Pin("Y10"), make=make)
        self.bus = bus.SensorBus(port, bus.Records(sensor_types.TYPES), {"mux": {"enable": True}})
        self.create_task(self.bus.run())
        self.create_task(service.SensorService(self, self.bus).run())
asyncio.run(App(conn_id, config, hardware).run())
"""
SERVER = """
import asyncio
from pb_link.server import run, serve
from pb_link.settings import read
async def follow(conn):
    sensors = conn.sensors()
    seen = {}
    async for reading in sensors:
        seen[reading.device] = reading
        if len(seen) == 2:
            break
    for device in sorted(seen):
        print(device, seen[device].type, seen[device].values)
    print("raw", await sensors.command("cmdraw", addr=0x48, write="0f", read=2))
    for name, asked in (("devconfig", {"addr": 0x48, "interval_us": 50000}), ("bar", {"addr": 0x48, "ms": 1}),
                        ("rescan", {}), ("typeinfo", {"type": "TMP117"})):
        print(name, await sensors.command(name, **asked))
    print("devs", await sensors.command("listdevs"))
async def main():
    settings = read()
    await asyncio.gather(run({"demo"}, port=settings["port"], keys={"demo": settings["key"]}), serve(follow))
asyncio.run(main())
"""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SENSORS = [{"type": "PCA9548A"}, {"type": "SHT40", "slot": 3}, {"type": "TMP117"}]


def run(interpreter, folder, program):
    environment = {**os.environ, "MICROPYPATH": f".frozen:{folder}"}
    done = subprocess.run([interpreter, "-c", program], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    sensor_package.tree(folder, ["TMP117"])
    return folder


def test_folder_has_all_modules_compiled_and_its_package_lists_them(made):
    package = json.loads((made / "package.json").read_text())
    files = {str(path.relative_to(made)) for path in made.rglob("*.mpy")}
    assert {source for source, _ in package["urls"]} == {target for _, target in package["urls"]} == files
    wanted = {name.replace(".py", ".mpy") for name in sensor_package.files() if not name.startswith("primitives/")}
    assert files == wanted | {"sensor_types.mpy"}


def test_each_module_is_joined_or_joined_later():
    names = {name.removesuffix(".py").replace("/", ".") for name in sensor_package.files()}
    ours = {name for name in names if name.startswith("sensor_bus.") and not name.endswith("__init__")}
    bundle = sensor_package.bundle()
    later = {one for name, others in sensor_package.LATER.items() for one in (name, *others)}
    assert ours == later | {"sensor_bus.address"} | {name for name in bundle.joined if name.startswith("sensor_bus.")}
    assert not later & bundle.joined


def test_each_module_is_imported_with_nothing_beside_the_folder(made, micropython32):
    names = [str(path.relative_to(made).with_suffix("")).replace("/", ".") for path in sorted(made.rglob("*.mpy"))]
    modules = [name for name in names if not name.endswith("__init__")]
    program = "".join(f"import {name}\n" for name in modules) + "print('imported')"
    assert run(micropython32, made, program) == "imported\n"


def test_the_same_bytes_come_from_the_same_sources(made, tmp_path):
    sensor_package.tree(tmp_path, ["TMP117"])
    for path in made.rglob("*.mpy"):
        assert path.read_bytes() == (tmp_path / path.relative_to(made)).read_bytes(), path


def test_programs_find_all_public_names(made, micropython64):
    assert run(micropython64, made, PUBLIC) == "sensor_bus/bus.mpy 1_38\n"


def test_type_is_added_while_a_joined_bus_runs(made, micropython64):
    types = json.loads((ROOT / "sensor_bus" / "types.json").read_text())["devTypes"]
    (made / "record.json").write_text(json.dumps(types["TMP117"]))
    assert run(micropython64, made, ADDED) == (
        "0 TMP117 1000000\n"
        "record Other: addresses: an address must be 0x04..0x77, not '0x99'\n"
    )


def test_image_has_the_client_too_if_asked(tmp_path, micropython64):
    """One image is all that the ROMFS of a board holds."""
    assert sensor_package.main(["romfs", str(tmp_path / "both.romfs"), "TMP117", "--client"]) == 0
    program = (
        "import vfs, sys\n"
        "vfs.mount(vfs.VfsRom(open('both.romfs', 'rb').read()), '/rom')\n"
        "sys.path[:] = ['/rom', '.frozen']\n"
        "import sensor_bus.bus, sensor_bus.service, sensor_types, pb_link.app_base\n"
        "print(sensor_bus.bus.__file__, pb_link.app_base.__file__, len(sensor_bus.bus.Records(sensor_types.TYPES)))"
    )
    assert run(micropython64, tmp_path, program) == "/rom/sensor_bus/bus.mpy /rom/pb_link/app_base.mpy 1\n"


def test_joined_bus_beside_the_joined_client_is_served_over_the_link(tmp_path, micropython64, micropython_chip):
    assert client_package.main(["tree", str(tmp_path / "lib"), "--mpy"]) == 0
    sensor_package.tree(tmp_path / "lib", ["SHT40", "TMP117"])
    write_settings(tmp_path)
    (tmp_path / "board.py").write_text(CLIENT)
    (tmp_path / "answers.py").write_text(SERVER)
    (tmp_path / "sensors.json").write_text(json.dumps(SENSORS))
    boards = {"MICROPYTHON": micropython64, "MICROPYTHON_CHIP": micropython_chip}
    options = ("--client-lib", tmp_path / "lib", "--bridge-image", "--sensors", tmp_path / "sensors.json")
    with running([sys.executable, "answers.py"], tmp_path) as server:
        with running(up(tmp_path / "board.py", *options), tmp_path, **boards) as link:
            folder = f"{tmp_path}/lib/sensor_bus"
            assert link.wait_for("from ").endswith(f"{folder}/bus.mpy {folder}/service.mpy")
            assert "SHT40" in server.wait_for("1_344 ") and "TMP117" in server.wait_for("1_48 ")
            assert "'0117'" in server.wait_for("raw ")
            assert "'number': 1" in server.wait_for("typeinfo ")
            assert "[72, 'TMP117', 1]" in server.wait_for("devs ")


def test_names_that_the_service_asks_of_the_link_stay():
    tree = ast.parse((ROOT / "sensor_bus" / "service.py").read_text())
    asked = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            if owner in ("self._app", "channel") or owner.startswith("self._app.channel("):
                asked.add(node.attr)
    assert asked >= {"channel", "on_request", "send", "usable"}
    assert not asked & set(sensor_package.bundle().short.attributes)


def test_names_that_programs_ask_a_bus_for_stay():
    """Those of the document, and of programs."""
    folders = (ROOT / "docs", ROOT / "examples", ROOT / "tests" / "sim" / "mpy" / "programs")
    text = "".join(path.read_text() for folder in folders for path in folder.glob("*sensor*.*") if path.is_file())
    asked = set(re.findall(r"\b(?:bus|records|device|sample|port|service)\.(\w+)", text))
    asked |= set(re.findall(r"\bbus\.device\(\w+\)\.(\w+)", text))
    assert asked >= {"add_type", "configure", "devices", "missed", "now", "request", "samples", "run"}
    assert not asked & set(sensor_package.bundle().short.attributes)


def test_names_that_are_asked_of_loaded_modules_stay():
    """`load("catalog").scan_lists`: such a name must be no attribute that is short in classes."""
    defined, asked = {}, set()
    for name in sensor_package.LATER:
        tree = ast.parse((ROOT / f"{name.replace('.', '/')}.py").read_text())
        defined[name] = {one.name for one in tree.body if isinstance(one, (ast.ClassDef, *_FUNCTIONS))}
    for path in (ROOT / "sensor_bus").glob("*.py"):
        text = path.read_text()
        asked |= {(f"sensor_bus.{one}", name) for one, name in re.findall(r'\bload\("(\w+)"\)\.(\w+)', text)}
        for variable, one in re.findall(r'(\w+) = load\("(\w+)"\)$', text, re.M):
            asked |= {(f"sensor_bus.{one}", name) for name in re.findall(rf"(?<![\w.]){variable}\.(\w+)\(", text)}
    assert len(asked) > 10 and {name for _, name in asked} >= {"Queue", "Power", "recover", "scan_lists"}
    short = sensor_package.bundle().short.attributes
    for module, name in asked:
        assert name in defined[module] and name not in short, (module, name)


def test_line_of_a_traceback_is_found(capsys):
    assert sensor_package.main(["where", "sensor_bus/bus.py:200"]) == 0
    file, _, rest = capsys.readouterr().out.partition(":")
    assert (ROOT / file).is_file() and rest.split()[0].partition("-")[0].isdecimal()


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["tree", "made", "NONE"], "there is no type NONE, only AHT20"),
        (["where", "sensor_bus/scan.py:3"], "give it as sensor_bus/bus.py:LINE"),
        (["romfs", "absent/file"], "absent/file"),
    ],
)
def test_errors_say_what_is_wrong(arguments, shown, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sensor_package.main(arguments) == 1
    assert shown in capsys.readouterr().err
