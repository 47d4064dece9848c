"""The annotations of the public API: what a type checker tells a user, and that the stubs say what the modules do."""

import ast
import itertools
import os
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

from server.service import starter
from tests.peers.processes import ROOT

STUBBED = (
    "pb_link.app_base", "pb_link.bridge_reports", "pb_link.i2c_service", "pb_link.requests", "pb_link.settings",
    "pb_link.selftest", "pb_link.smbus", "pb_link.testing", "server", "pb_link.server",
    "i2c_devices.device_controller", "i2c_devices.memory_controller", "i2c_devices.packet_controller",
    "i2c_devices.smbus_i2c", "i2c_devices.stream_controller",
    "sensor_bus.bus", "sensor_bus.decode", "sensor_bus.linux_i2c", "sensor_bus.loader", "sensor_bus.port",
    "sensor_bus.records", "sensor_bus.service",
)  # fmt: skip
# The stubs of these name only what users call.
PARTLY_STUBBED = (
    "server.Connection.", "pb_link.requests.", "pb_link.settings.", "pb_link.selftest.", "pb_link.testing.",
    "i2c_devices.", "sensor_bus.",
)  # fmt: skip

USER = """
import asyncio
import pb_link
from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware
from pb_link.i2c_devices.packet_controller import PacketController
from pb_link.i2c_devices.smbus_i2c import SMBusI2C
from pb_link.i2c_devices.stream_controller import StreamController
from pb_link.requests import RequestFailed, RequestTimeout
from pb_link.sensor_bus.bus import SensorBus
from pb_link.sensor_bus.decode import readings
from pb_link.sensor_bus.errors import NoAnswer
from pb_link.sensor_bus.linux_i2c import LinuxI2C
from pb_link.sensor_bus.loader import load
from pb_link.sensor_bus.port import MachineI2C
from pb_link.sensor_bus.records import Records, standard_records
from pb_link.sensor_bus.service import SensorService
from pb_link.server import Connection, MemoryStore, Server, SQLiteStore, StoreError, client_conn, run, serve, wait_all
from pb_link.smbus import AsyncSMBus, I2C, I2cFunc, SMBus, i2c_msg
from pb_link.testing import LinkFailed, RealLinkFixture, VirtualLinkFixture


class Dog:
    def feed(self) -> None:
        print("fed")


async def len_of(data: bytes) -> str:
    return str(len(data))


class App(AppBase):
    def start(self) -> None:
        task: asyncio.Task[None] = self.create_task(self.talk())
        print(task.done(), self.verbose)

    async def talk(self) -> None:
        line: str = await self.readline(timeout_ms=1000)
        await self.write(line, qos=False, wait=False)
        self.on_request(30, len_of)
        self.on_request(31, bytes.upper)
        try:
            print(len(await self.request(32, b"", 1000)), len(await self.request(32, "text", 1000, wait=False)))
        except (RequestFailed, RequestTimeout):
            pass

    async def report(self, data: list[int]) -> None:
        print(data[2], self.status(), self.fallbacks())

    async def resumed(self, kept: bool) -> None:
        if not kept:
            await self.channel(20).send_json({"time": await self.utc(set_rtc=False)}, wait=False)


async def lines_of(connection: Connection) -> int:
    await connection
    connection.on_request(32, len_of)
    count = await connection.new_life(connection.lives) + len(await connection.request(30, b"", 1000))
    print(await connection.channel(20).receive_json(timeout_ms=10))
    async for line in connection.lines(ahead=4):
        count += len(line)
    try:
        await connection["other"].write("a line")
    except StoreError:
        await connection.discard()
    return count + connection.wire_bytes[0] + connection.traffic.sent_again


async def on_linux(i2c: SMBusI2C) -> bytes:
    stream = StreamController(i2c, 0x20)
    stream.write("read?\\n")
    await stream.drain()
    packet = await PacketController(i2c, 0x21, interval_ms=20).recv()
    return packet + (stream.readline() or b"")


async def measure(app: App, table: bytes) -> None:
    bus = SensorBus(MachineI2C(hardware[0]), Records(table), {"mux": {"enable": True}}, reset=lambda: None)
    app.create_task(bus.run())
    app.create_task(SensorService(app, bus, qos=True, allow_raw=False).run())
    event = await bus.events().__anext__()
    try:
        if event.address is not None:
            print(event.kind, await bus.request(event.address, b"\x00", 2), bus.device(event.address).missed)
    except NoAnswer:
        bus.bar(0x38, 1000)


async def measure_on_linux(more: bytes) -> float:
    bus = SensorBus(LinuxI2C(1), load(more) if more else standard_records())
    async for sample in bus.samples():
        info = bus.records.info(sample.type)
        for offset_us, values, invalid in readings(info or {}, sample.data):
            return float(values["temperature"]) + offset_us + len(invalid)
    return 0.0


async def sensors_of(connection: Connection) -> None:
    async for reading in connection.sensors():
        print(reading.device, reading.time + reading.bus, reading.values, await connection.sensors().command("pause"))


async def remote(bus: SMBus) -> int:
    message = i2c_msg.read(0x48, 2)
    bus.i2c_rdwr(i2c_msg.write(0x48, [0]), message)
    batch = bus.batch()
    batch.write_byte_data(0x48, 1, 2)
    print(batch.run(), I2C(bus).scan(), list(message), bus.funcs & I2cFunc.I2C)
    async with AsyncSMBus("grpc://mast:50051/1", token="token") as other:
        return await other.read_word_data(0x48, 0) + bus.read_i2c_block_data(0x48, 0, 2)[0]


def test_of_a_user(virtual_link: VirtualLinkFixture) -> None:
    link = virtual_link("client.py", len_of_lines, settings={"report_s": 5}, seed=1)
    link.analog("X19", 1234)
    link.inject("bridge-kill")
    try:
        link.run_until(lambda: link.lines(board="server"), timeout_s=60)
        line: str = link.on_server(link.connection().readline())
        print(line, link.wait_for("led", count=2), link.seconds + link.seed)
    except LinkFailed:
        print(link.story())


def test_in_micropython(real_link: RealLinkFixture) -> None:
    link = real_link({"pump": "client.py", "valve": "client.py"}, len_of_lines, sensors=[{"type": "TMP117"}])
    link.wifi(False, "pump")
    (link.flash("valve") / "first.txt").write_text("1")
    link.run(5)


async def len_of_lines(connection: Connection) -> None:
    print(await lines_of(connection))


async def program() -> None:
    print(Server().close_all, Server(MemoryStore))
    store = SQLiteStore("lines.db") if pb_link.__version__ else MemoryStore()
    await run({"demo"}, True, keys={"demo": "00" * 32}, store=store)
    await serve(lines_of)
    await Server(MemoryStore).serve(lines_of)
    first = await wait_all("demo", ["other"])
    print(first and first.client_id, await (await client_conn("demo")).readline())


async def client() -> None:
    await App(conn_id, config, hardware, verbose=2).run(watchdog=Dog())
    await App(conn_id, config, hardware).await_msg()


asyncio.run(client())
"""
WRONG = """
from pb_link.sensor_bus.bus import SensorBus
from pb_link.server import Connection, run, serve

async def use(connection: Connection) -> None:
    await connection.write(5)
    number: int = await connection.readline()
    await run({"demo"})
    await run({"demo"}, keys="keys.json", store=connection)
    connection.lines("sometimes")
    await serve(print)
    await serve(use(connection))

def wrong(bus: SensorBus) -> None:
    bus.configure(0x38, 1000)
    bus.bar("38", 10)
"""


@pytest.fixture(scope="module", autouse=True)
def type_checker(missing_tool):
    if find_spec("mypy") is None:
        missing_tool("mypy is not installed: make .venv anew with  make tools")


def mypy(*words, **how):
    return subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, timeout=240,
        env={**os.environ, "PYTHONPATH": "", "MYPYPATH": ""} | how.pop("env", {}), **how,
    )  # fmt: skip


@pytest.fixture(scope="module")
def check(installed, tmp_path_factory):
    """A function that has mypy look at a file, with the wheel installed. Returns what it says."""
    common = ("--config-file=", "--cache-dir", str(tmp_path_factory.mktemp("mypy_cache")))  # of what programs import
    times = itertools.count()

    def look(path, *words):
        os.utime(path, (next(times),) * 2)  # to mypy a file of the same name, time and size is the one it knows
        python = ("--python-executable", str(installed[0] / "python"))
        return mypy("mypy", *common, *words, *python, path.name, cwd=path.parent).stdout

    return look


EXAMPLES = (
    "client.py", "server_app.py", "exactly_once.py", "file_server.py", "commands.py", "commands_server.py",
    "sensor_server.py", "sensor_linux.py", "consumer.py", "thermostat.py",
)  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_passes_the_strict_type_checker(check, tmp_path, name):
    text = (ROOT / "examples" / name).read_text()
    (tmp_path / name).write_text(text.replace("from sensor_bus.", "from pb_link.sensor_bus."))  # as the wheel has it
    assert check(tmp_path / name, "--strict") == "Success: no issues found in 1 source file\n"


@pytest.mark.parametrize("name", ["client.py", "application.py"])
def test_program_that_pb_link_init_writes_passes_the_strict_type_checker(check, tmp_path, name):
    (tmp_path / name).write_text(starter.FILES[name])
    assert check(tmp_path / name, "--strict") == "Success: no issues found in 1 source file\n"


def test_user_of_the_whole_api_passes_the_strict_type_checker(check, tmp_path):
    (tmp_path / "program.py").write_text(USER)
    assert check(tmp_path / "program.py", "--strict") == "Success: no issues found in 1 source file\n"


def test_type_checker_finds_wrong_calls(check, tmp_path):
    (tmp_path / "program.py").write_text(WRONG)
    output = check(tmp_path / "program.py", "--strict")
    found = re.findall(r"program.py:(\d+): error: .*\[([a-z-]+)\]", output)
    kinds = ["arg-type", "assignment", "call-arg", "arg-type", "arg-type", "arg-type", "arg-type"]
    wrong = [(str(line), kind) for line, kind in enumerate(kinds, 6)] + [("15", "call-arg"), ("16", "arg-type")]
    assert found == wrong, output


def test_programs_of_the_readme_have_no_type_error(check, tmp_path):
    programs = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len(programs) == 2
    for text in programs:
        (tmp_path / "program.py").write_text(text)
        assert "Success" in check(tmp_path / "program.py", "--check-untyped-defs"), text


def differences(output):
    """What stubtest has found that is wrong: it names a difference a line. Modules without a stub do not count."""
    return [
        line
        for line in output.splitlines()
        if not re.match(r"server\.[a-z]+\.|Success", line)
        and not re.match(r"\S+-redefinition is not present at runtime", line)
        # users make none:
        and not re.match(r"(server\.Connection|\S+\.DeviceController|pb_link\.testing\.\w+)\.__init__ ", line)
        and not (line.endswith(" is not present in stub") and line.startswith(PARTLY_STUBBED))
    ]


def test_stubs_say_what_the_modules_do(tmp_path):
    (tmp_path / "mypy.ini").write_text("[mypy]\nignore_errors = true\n")  # of modules without annotations
    words = ("mypy.stubtest", "--concise", "--mypy-config-file", str(tmp_path / "mypy.ini"))
    path = {"PYTHONPATH": str(ROOT), "MYPYPATH": str(ROOT)}
    done = mypy(*words, *STUBBED, cwd=tmp_path, env=path)
    assert "server.Connection.attach is not present in stub" in done.stdout, done.stderr
    assert differences(done.stdout) == []


@pytest.mark.parametrize(
    "line",
    [
        'pb_link.app_base.AppBase.write is inconsistent, runtime argument "wait" is not keyword-only',
        "pb_link.app_base.AppBase.again is not present in stub",
        "server.MemoryStore.again is not present in stub",
        'server.Connection.write is inconsistent, stub does not have parameter "qos"',
        "server.Connection.gone is not present at runtime",
    ],
)
def test_difference_between_stub_and_module_counts(line):
    assert differences(f"{line}\nserver.Connection.attach is not present in stub\n") == [line]


def test_stub_of_the_configuration_names_what_is_there():
    """It needs a board's modules, so it is not imported."""
    named = {node.target.id for node in ast.parse((ROOT / "pb_link/config.pyi").read_text()).body
             if isinstance(node, ast.AnnAssign)}  # fmt: skip
    assigned = {
        target.id
        for node in ast.walk(ast.parse((ROOT / "pb_link/config.py").read_text()))
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert named and named <= assigned


def test_every_stub_is_compared_with_its_module():
    stubs = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for folder in ("pb_link", "server", "protocol", "primitives", "i2c_devices", "esp_link", "sensor_bus", "sim")
        for path in (ROOT / folder).rglob("*.pyi")
    }
    assert stubs == {*STUBBED, "pb_link.config"}
