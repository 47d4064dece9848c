"""The client as boards install it: the lists are complete, and mpremote's mip brings it from a local index into a real
MicroPython, which runs it from there. An upgrade leaves the settings alone."""

import contextlib
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import tty
from pathlib import Path

import pytest

from build.images import firmware
from build.install import client_package
from build.tools import frozen
from protocol.version import RELEASE, release_text
from tests.build.imports import imported
from tests.peers.processes import running, up, write_settings

STARTS = (
    "pb_link/autostart.py", "pb_link/bridge_reports.py", "pb_link/i2c_service.py", "pb_link/pb_client.py",
    "pb_link/selftest.py", "protocol/errors.py",
)  # fmt: skip
REPL = Path(__file__).with_name("raw_repl.py")
INSTALL_S = 60
LEAST_FREE = 59000  # bytes: the link wants about 11 KB of that, the rest is the application's

# mpremote as it is, but for GitHub's files of one repository, which come from the address in the first argument.
FROM_GITHUB = """
import sys, urllib.request
ours, there = sys.argv.pop(1), "https://raw.githubusercontent.com/someone/pb_link/HEAD/"
urlopen = urllib.request.urlopen
def instead(url):
    assert url.startswith(there), url
    return urlopen(ours + "/" + url.removeprefix(there))
urllib.request.urlopen = instead
from mpremote.main import main
sys.exit(main())
"""

# From what is installed, not from the source: says where from, then runs the demo, as if of an older release.
PROGRAM = """
import protocol.version
protocol.version.RELEASE = (0, 0, 9)
import protocol.control
protocol.control.RELEASE_RECORD = bytes((7, 0, 0, 9))
import pb_link.link
print("from", pb_link.link.__file__)
import pb_link.pb_client
"""


# Both ends of a channel: with and without a time limit, and one message longer than a frame.
CHANNEL_CLIENT = """
import asyncio
from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware
class App(AppBase):
    async def start(self):
        channel = self.channel(20)
        for number in range(12):
            await channel.send(b"message %d" % number + bytes(3000 * (number == 5)), ttl_ms=(None, 60000)[number % 2])
            message = await channel.receive()
            print("program.py:", message.channel, message.data)
asyncio.run(App(conn_id, config, hardware, verbose=True).run())
"""
CHANNEL_SERVER = """
import asyncio
from pb_link.server import run, serve
from pb_link.settings import read
async def answer(conn):
    channel = conn.channel(20)
    while True:
        message = await channel.receive()
        await channel.send(b"answer to " + message.data.rstrip(bytes(1)), ttl_ms=60000)
async def main():
    settings = read()
    await asyncio.gather(run({"demo"}, port=settings["port"], keys={"demo": settings["key"]}), serve(answer))
asyncio.run(main())
"""

# All names of the modules that devices rest on, and of their classes.
SHOWN = """
from i2c_devices import device_target, mailbox_controller, mailbox_target, memory_engine, packet_target, stream_target
from primitives import platform, timed_flag, timeout
from protocol import device, framing, limits, mailbox, sequence, target_cells
for module in (memory_engine, mailbox_target, platform, timed_flag, timeout, framing, limits, mailbox, sequence):
    for name in sorted(dir(module)):
        if name != "__file__":
            thing = getattr(module, name)
            print(module.__name__, name, sorted(dir(thing)) if isinstance(thing, type) else "")
print(sorted(dir(mailbox.StatusCell())))
"""


# Two clients one after the other, behind one whose settings are refused; what `run` needs is loaded beside the second.
# Says what is still loaded of the checks.
MADE = """
import gc, sys
from i2c_devices.ports import TargetPort
from pb_link.app_base import AppBase
class Pin:
    IN, OUT, PULL_UP, IRQ_FALLING = 0, 1, 1, 2
    def init(self, *_, **__): pass
    def __call__(self, *_): pass
def hardware():
    return [TargetPort(None), Pin(), Pin(), (Pin(), 0, 200)]
starts = ("pb_link.start", "pb_link.settings", "protocol.credentials", "i2c_devices.pins")
def left():
    return [name for name in starts if name in sys.modules or is_in_its_package(*name.split("."))]
def is_in_its_package(package, leaf):
    return hasattr(sys.modules[package], leaf)
try:
    AppBase("id", [], hardware())
except ValueError as error:
    print(error)
print(left())
for _ in range(2):
    app = None
    app = AppBase("id", [8123, "server", 1500, 0, "net", "password", bytes(32)], hardware())
app.run().close()
print(left())
"""


def test_lists_for_mip_are_what_the_manifest_says():
    assert client_package.differing() == [], "run `make firmware` and commit what it writes"


def test_client_is_all_that_it_imports_and_no_more():
    reached = set()
    for start in STARTS:
        imported(start, reached)
    assert reached == set(client_package.files())


def test_manifest_can_be_frozen_by_micropythons_own_reader(micropython_source):
    listed = frozen.frozen_files(micropython_source, client_package.MANIFEST)
    assert {target for _, target, _, _ in listed} == set(client_package.files())


def test_lists_hold_relative_paths_and_no_settings():
    for name, text in client_package.packages().items():
        for target, source in json.loads(text)["urls"]:
            assert ((client_package.ROOT / name).parent / source).is_file() and ":" not in source and ".." not in source
            assert target.endswith(".py") and "pb_settings" not in target


class Index(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    """The folder as an HTTP server's; gives its address."""
    handler = functools.partial(Index, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def board(interpreter, folder, release=None):
    """A real MicroPython whose raw REPL is behind a pseudo-terminal, as a board's behind a serial port.

    release: (major, minor) that it gives as its own; None: what it is.
    """
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    environment = dict(os.environ, MICROPYPATH=f".frozen:{folder / 'lib'}")
    command = [interpreter, REPL, *map(str, release or ())]
    process = subprocess.Popen(command, cwd=folder, stdin=ours, stdout=ours, stderr=ours, env=environment)
    try:
        yield os.ttyname(theirs)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


@pytest.fixture
def mpremote(micropython64, tmp_path, missing_tool):
    """mpremote(*words, github=) runs it with a board whose file system is tmp_path; github: the address that takes its
    place."""
    try:
        import mpremote  # noqa: F401
    except ImportError:
        missing_tool("mpremote is not installed: make tools")

    def run(*words, github=None):
        with board(micropython64, tmp_path) as port:
            program = ["-c", FROM_GITHUB, github] if github else ["-m", "mpremote"]
            command = [sys.executable, *program, "connect", port, *words]
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_client_installed_by_mip_runs_from_there(mpremote, tmp_path, micropython64, micropython_chip):
    with served(client_package.ROOT) as address:
        mpremote("mip", "install", f"{address}/package.json")
        settings = write_settings(tmp_path)
        (tmp_path / "lib/primitives/timeout.py").write_text("old")
        mpremote("mip", "install", f"{address}/primitives/package.json")  # an upgrade, of one package
    assert json.loads((tmp_path / "pb_settings.json").read_text()) == settings
    new = (tmp_path / "lib/primitives/timeout.py").read_text()
    assert new == (client_package.ROOT / "primitives/timeout.py").read_text()
    program = tmp_path / "main.py"
    program.write_text(PROGRAM)
    boards = {"MICROPYTHON": micropython64, "MICROPYTHON_CHIP": micropython_chip}
    with running([sys.executable, "-m", "pb_link.s_app"], tmp_path) as server:
        server.wait_for("listening on port")
        options = ("--client-lib", tmp_path / "lib", "--bridge-image")
        with running(up(program, *options), tmp_path, **boards) as link:
            assert link.wait_for("from ").endswith(f"{tmp_path}/lib/pb_link/link.py")
            link.wait_for(f"firmware is of release {release_text(RELEASE)}, this client of 0.0.9. Flash the ESP8266")
            link.wait_for("received [1, 1]")


def test_joined_client_and_bridge_exchange_lines(tmp_path, micropython64, micropython_chip):
    """The client as deploy.py installs it, and the image that is flashed."""
    assert client_package.main(["tree", str(tmp_path / "lib"), "--mpy"]) == 0
    write_settings(tmp_path)
    program = tmp_path / "main.py"
    program.write_text("import pb_link.app_base as a\nprint('from', a.__file__)\nimport pb_link.pb_client\n")
    boards = {"MICROPYTHON": micropython64, "MICROPYTHON_CHIP": micropython_chip}
    with running([sys.executable, "-m", "pb_link.s_app"], tmp_path) as server:
        server.wait_for("listening on port")
        with running(up(program, "--client-lib", tmp_path / "lib", "--bridge-image"), tmp_path, **boards) as link:
            assert link.wait_for("from ").endswith(f"{tmp_path}/lib/pb_link/app_base.mpy")
            link.wait_for("received [1, 1]")


def test_joined_client_reads_settings_of_a_file_that_is_given_by_name(tmp_path, micropython64):
    assert client_package.main(["tree", str(tmp_path / "lib"), "--mpy"]) == 0
    (tmp_path / "mine.json").write_text('{"key": "%s", "port": 1234}' % ("ab" * 32))
    program = "from pb_link.settings import read; print(read(path='mine.json')['port'], read('mine.json')['id'])"
    environment = dict(os.environ, MICROPYPATH=f"{tmp_path / 'lib'}:.frozen")
    done = subprocess.run(
        [micropython64, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout == "1234 demo\n", done.stdout + done.stderr


def test_channels_of_the_joined_client_carry_messages(tmp_path, micropython64, micropython_chip):
    """The modules of channels are not joined with the others, and share short names with them."""
    assert client_package.main(["tree", str(tmp_path / "lib"), "--mpy"]) == 0
    write_settings(tmp_path)
    (tmp_path / "program.py").write_text(CHANNEL_CLIENT)
    (tmp_path / "answers.py").write_text(CHANNEL_SERVER)
    boards = {"MICROPYTHON": micropython64, "MICROPYTHON_CHIP": micropython_chip}
    with running([sys.executable, "answers.py"], tmp_path):
        options = ("--client-lib", tmp_path / "lib", "--bridge-image")
        with running(up(tmp_path / "program.py", *options), tmp_path, **boards) as link:
            link.wait_for("program.py: 20 b'answer to message 11'")


def test_devices_from_their_folder_work_beside_the_compiled_client(tmp_path, micropython64):
    """mip brings the one folder of its sources; what they import of others is the client's, compiled."""
    assert client_package.main(["tree", str(tmp_path / "lib"), "--mpy"]) == 0
    for path in (client_package.ROOT / "i2c_devices").glob("*.py"):
        shutil.copy(path, tmp_path / "lib" / "i2c_devices")
    for name in ("fifo", "waiting"):
        shutil.copy(client_package.ROOT / "primitives" / f"{name}.py", tmp_path / "lib" / "primitives")
    shutil.copy(client_package.ROOT / "protocol" / "device.py", tmp_path / "lib" / "protocol")
    (tmp_path / "program.py").write_text(SHOWN)
    shown = [
        subprocess.check_output(
            [micropython64, "program.py"], cwd=tmp_path, text=True, env={"MICROPYPATH": f".frozen:{place}"}
        )
        for place in (tmp_path / "lib", client_package.ROOT)
    ]
    assert shown[0] == shown[1] and "length0" in shown[0]


def test_line_of_a_traceback_of_the_joined_client_is_found(capsys):
    assert client_package.main(["where", "pb_link/app_base.py:1000"]) == 0
    file, _, rest = capsys.readouterr().out.partition(":")
    assert (client_package.ROOT / file).is_file() and rest.split()[0].partition("-")[0].isdecimal()
    assert client_package.main(["where", "pb_link/link.py:1"]) == 1
    assert "give it as pb_link/app_base.py:LINE" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["github", "folders"])
def test_mip_installs_all_of_the_devices(mpremote, tmp_path, micropython64, way):
    with served(client_package.ROOT) as address:
        if way == "github":
            mpremote("mip", "install", "github:someone/pb_link/i2c_devices.json", github=address)
        else:
            for folder in ("i2c_devices", "primitives", "protocol"):
                mpremote("mip", "install", f"{address}/{folder}/package.json")
    wanted = {path.name for path in (client_package.ROOT / "i2c_devices").glob("*.py")}
    assert {path.name for path in (tmp_path / "lib/i2c_devices").iterdir()} == wanted
    code = "".join(f"import i2c_devices.{name[:-3]}\n" for name in sorted(wanted) if name != "__init__.py")
    environment = dict(os.environ, MICROPYPATH=f".frozen:{tmp_path / 'lib'}")  # with all that they import
    subprocess.run([micropython64, "-c", code], cwd=tmp_path, env=environment, check=True)


# As the package of micropython-async, which has the same name: its modules are imported when they are first asked for.
OTHERS = {
    "__init__.py": (
        "_attrs = {'Delay_ms': 'delay_ms'}\n"
        "def __getattr__(name):\n"
        "    module = __import__(_attrs[name], None, None, True, 1)\n"
        "    return getattr(module, name)\n"
    ),
    "delay_ms.py": "class Delay_ms:\n    pass\n",
}
BOTH = """
from primitives import Delay_ms
import pb_link.app_base
from primitives.timeout import Timeout
print("both work")
"""


THEIR_MODULES = {
    "__init__", "aadc", "barrier", "broker", "condition", "delay_ms", "encoder", "esp32_touch", "events", "irq_event",
    "message", "pushbutton", "queue", "ringbuf_queue", "rp2_touch", "semaphore", "sw_array", "switch",
    "threadsafe_queue",
}  # fmt: skip


def test_no_module_has_the_name_of_one_of_micropython_async():
    assert not {path.stem for path in (client_package.ROOT / "primitives").iterdir()} & THEIR_MODULES


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_primitives_of_micropython_async_and_ours_live_side_by_side(mpremote, tmp_path, micropython64, first):
    (tmp_path / "others").mkdir()
    for name, text in OTHERS.items():
        (tmp_path / "others" / name).write_text(text)
    urls = [[f"primitives/{name}", name] for name in OTHERS]
    (tmp_path / "others" / "package.json").write_text(json.dumps({"urls": urls, "version": "0.1"}))
    with served(client_package.ROOT) as ours, served(tmp_path / "others") as theirs:
        for address in (ours, theirs) if first == "ours" else (theirs, ours):
            mpremote("mip", "install", f"{address}/package.json")
    found = {path.name for path in (tmp_path / "lib/primitives").iterdir()}
    assert found >= {*OTHERS, "timeout.py"}
    shown = subprocess.check_output(
        [micropython64, "-c", BOTH], cwd=tmp_path, text=True,
        env=dict(os.environ, MICROPYPATH=f".frozen:{tmp_path / 'lib'}"),
    )  # fmt: skip
    assert shown == "both work\n"
    for name, text in OTHERS.items():
        assert (tmp_path / "lib/primitives" / name).read_text() == text


def test_client_is_installed_from_github(mpremote, tmp_path):
    """The forms of the address that docs/hardware.md has, up to what mpremote asks GitHub for."""
    with served(client_package.ROOT) as address:
        mpremote("mip", "install", "github:someone/pb_link", github=address)
        found = {str(path.relative_to(tmp_path / "lib")) for path in (tmp_path / "lib").rglob("*.py")}
        assert found == set(client_package.files())
        (tmp_path / "lib/protocol/frame.py").write_text("old")
        mpremote("mip", "install", "github:someone/pb_link/protocol", github=address)
    for name, path in client_package.files().items():
        assert (tmp_path / "lib" / name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("words", [("mip", "install", "made/package.json"), ("cp", "-r", "made/.", ":lib/")])
def test_compiled_client_is_installed_from_a_folder(mpremote, tmp_path, micropython64, words):
    assert client_package.main(["tree", str(tmp_path / "made"), "--mpy"]) == 0
    mpremote(*words)
    shown = subprocess.check_output(
        [micropython64, "-c", "import pb_link.app_base as a; print(a.__file__)"],
        env=dict(os.environ, MICROPYPATH=f".frozen:{tmp_path / 'lib'}"), cwd=tmp_path, text=True,
    )  # fmt: skip
    assert shown == f"{tmp_path}/lib/pb_link/app_base.mpy\n"


def test_compiled_client_leaves_a_pyboard_room_for_an_application(tmp_path, micropython32, report_line):
    """In the heap of a Pyboard v1.x. The .py files want 110 KB to be compiled on the board."""
    assert client_package.main(["tree", str(tmp_path / "made"), "--mpy"]) == 0
    program = (
        "import gc, asyncio, pb_link.app_base\n"
        "from pb_link import start\n"
        "start.forget()\n"  # as AppBase does
        "del start\n"
        "gc.collect(); print(gc.mem_free())"
    )
    environment = dict(os.environ, MICROPYPATH=".frozen:made")  # a longer path takes more of the heap
    command = [micropython32, "-X", "heapsize=100k", "-c", program]
    free = int(subprocess.check_output(command, env=environment, cwd=tmp_path, text=True))
    report_line(f"client, compiled and imported: {free} bytes free of a 100 KB heap")
    assert free >= LEAST_FREE


def test_clients_are_made_in_the_heap_of_a_pyboard_and_their_checks_forgotten(tmp_path, micropython32):
    assert client_package.main(["tree", str(tmp_path / "made"), "--mpy"]) == 0
    program = tmp_path / "made.py"
    program.write_text(MADE)
    firmware.compile_into(tmp_path / "made", {"made.py": program})
    environment = dict(os.environ, MICROPYPATH=f".frozen:{tmp_path / 'made'}")
    command = [micropython32, "-X", "heapsize=100k", "-c", "import made"]
    shown = subprocess.check_output(command, env=environment, cwd=tmp_path / "made", text=True)
    refused, after_it, left = shown.splitlines()
    assert refused.startswith("config: ") and after_it == left == "[]"


def test_client_runs_from_romfs(tmp_path, micropython64):
    image = tmp_path / "client.romfs"
    assert client_package.main(["romfs", str(image)]) == 0
    program = (
        "import sys, vfs\n"
        "vfs.mount(vfs.VfsRom(open(sys.argv[1], 'rb').read()), '/rom')\n"
        "sys.path[:] = ['.frozen', '/rom']\n"
        "import pb_link.app_base as a; print(a.__file__)\n"
    )
    shown = subprocess.check_output([micropython64, "-c", program, image], text=True)
    assert shown == "/rom/pb_link/app_base.mpy\n"
