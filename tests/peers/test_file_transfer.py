"""The examples that send and take a file in chunks: on virtual boards, and over the whole path while it fails."""

import asyncio
import hashlib
import importlib.util
import random
import sys
from types import SimpleNamespace

import pytest

import esp_link.bridge
from tests.link.harness import System
from tests.link.test_link import QUICK
from tests.peers.processes import ROOT, running, up, write_settings
from tests.server.peer import within

SERVER = ROOT / "examples" / "file_server.py"
MOST_TAKEN = 60  # messages that the application takes before it is cancelled, and those of 3 ms
CLIENT = ROOT / "examples" / "file_client.py"


def example(path, monkeypatch):
    """The module. The client's needs the configuration of a board."""
    config = SimpleNamespace(config=None, conn_id=None, hardware=None)
    monkeypatch.setitem(sys.modules, "pb_link.config", config)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def modules(monkeypatch):
    for name, ms in QUICK.items():
        monkeypatch.setattr(esp_link.bridge, name, ms)
    return example(CLIENT, monkeypatch), example(SERVER, monkeypatch)


def make_file(folder, size):
    path = folder / "data.bin"
    path.write_bytes(random.Random(size).randbytes(size))
    return path


def test_file_arrives_from_a_virtual_board_though_the_server_is_killed(tmp_path, micropython64, micropython_bridge):
    write_settings(tmp_path)
    path = make_file(tmp_path, 30_000)
    boards = {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}
    with running(up(CLIENT), tmp_path, **boards) as client:
        for delay_s in (0.5, 1.5):
            with running([sys.executable, SERVER], tmp_path) as server:
                asyncio.run(asyncio.sleep(delay_s))
                server.process.kill()
        with running([sys.executable, SERVER], tmp_path):
            client.wait_for("the server has 30000 bytes")
    files = tmp_path / "files" / "demo"
    assert (files / "data.bin").read_bytes() == path.read_bytes()
    assert [file.name for file in files.iterdir()] == ["data.bin"]


@pytest.mark.parametrize("seed", range(2))
def test_file_arrives_whatever_fails_however_often_the_application_begins_anew(modules, tmp_path, monkeypatch, seed):
    client, server = modules
    path, folder = make_file(tmp_path, 240_000), tmp_path / "files"
    rng, take, left, reached = random.Random(seed), server.Files.take, [0], asyncio.Event()

    def counted(self, message):
        left[0] -= 1
        if left[0] <= 0:
            reached.set()
        return take(self, message)

    monkeypatch.setattr(server.Files, "take", counted)

    async def main():
        async with System() as system:
            conn = await system.connected()
            sending = asyncio.create_task(client.send_file(system.app.channel(client.CHANNEL), str(path)))
            begun = 0
            while not sending.done():
                left[0] = rng.randint(1, MOST_TAKEN)
                reached.clear()
                receiving = asyncio.create_task(server.receive_files(conn, folder))
                waiting = asyncio.create_task(reached.wait())
                await asyncio.wait([sending, waiting], return_when=asyncio.FIRST_COMPLETED)
                await asyncio.sleep(rng.uniform(0, 0.003))
                receiving.cancel()  # between any two of its steps
                waiting.cancel()
                await asyncio.wait([receiving, waiting])
                begun += 1
                if rng.random() < 0.1:
                    system.chip.restart()
            assert await within(sending) == 240_000
            assert begun > 3  # 480 chunks, and few in each

    asyncio.run(main())
    assert (folder / "data.bin").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("size", [0, 1, 500, 501])
def test_files_of_every_size_arrive(modules, tmp_path, size):
    client, server = modules
    path, folder = make_file(tmp_path, size), tmp_path / "files"

    async def main():
        async with System() as system:
            conn = await system.connected()
            receiving = asyncio.create_task(server.receive_files(conn, folder))
            for _ in range(2):  # the second one replaces the first
                assert await within(client.send_file(system.app.channel(client.CHANNEL), str(path))) == size
            receiving.cancel()

    asyncio.run(main())
    assert [file.name for file in folder.iterdir()] == ["data.bin"] and (folder / "data.bin").stat().st_size == size


def messages_of(data, name=b"x.bin", transfer=b"\1\2\3\4", chunk=10):
    """What the client sends of a file."""
    for offset in range(0, len(data), chunk):
        yield b"D" + transfer + offset.to_bytes(4, "big") + data[offset : offset + chunk]
    yield b"E" + transfer + hashlib.sha256(data).digest() + name


def test_every_message_may_be_delivered_again_after_a_crash(modules, tmp_path):
    """The application is killed after it has processed a message, and before it has asked for the next one."""
    _, server = modules
    data = bytes(range(95))
    for message in messages_of(data):
        answers = [server.Files(tmp_path).take(message) for _ in range(2)]
        assert answers[0] == answers[1]
    assert answers[0] == b"\1\2\3\4good" and (tmp_path / "x.bin").read_bytes() == data


def test_bad_files_are_refused_with_words_and_leave_nothing(modules, tmp_path, monkeypatch):
    _, server = modules
    files = server.Files(tmp_path / "files")
    for name in (b"../x", b"/x", b"..", b".x", b"a.part", b"x" * 65, b"\xff"):
        *_, answer = [files.take(message) for message in messages_of(b"data", name)]
        assert answer[4:].startswith(b"the name must be") and not list((tmp_path / "files").iterdir())
    monkeypatch.setattr(server, "MAX_FILE", 20)
    *_, answer = [files.take(message) for message in messages_of(bytes(30))]
    assert answer[4:].startswith(b"the checksum is wrong, or the file is longer")
    for odd in (b"", b"D", b"E\1\2\3\4", b"X\1\2\3\4abc"):
        assert files.take(odd).endswith(b"unknown message")
    *_, answer = [files.take(message) for message in messages_of(b"good", transfer=b"next")]
    assert answer == b"nextgood"
    assert [file.name for file in (tmp_path / "files").iterdir()] == ["x.bin"]
    assert [file.name for file in tmp_path.iterdir()] == ["files"]


def test_client_is_told_why_a_file_is_not_taken(modules, tmp_path):
    client, server = modules
    path = tmp_path / "no name"
    path.write_bytes(b"x")

    async def main():
        async with System() as system:
            conn = await system.connected()
            receiving = asyncio.create_task(server.receive_files(conn, tmp_path / "files"))
            with pytest.raises(OSError, match="no name is not taken: the name must be"):
                await within(client.send_file(system.app.channel(client.CHANNEL), str(path)))
            receiving.cancel()

    asyncio.run(main())
