"""The socket of the commands: whose it is, and what a caller who does not listen gets."""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from sensor_bus.batch import encode_batch
from sensor_bus.publish import encode_devbin
from sensor_bus.records import standard_records
from server.gateways.setting import SettingsError
from server.service import local_socket
from server.service.admin import MAX_BEHIND, MAX_REQUEST, AdminServer, answer_from
from server.service.key_file import KeyFile
from tests.patience import PATIENCE_S
from tests.server.all_stores import TemporaryStore
from tests.server.channel_peer import ChannelClient
from tests.server.peer import Service, free_port, within
from tests.server.service.test_cli import Server, words
from tests.server.service.test_service import started

SOCKETS = [("precious.txt", "is no socket"), ("absent/x", "no folder"), ("x" * 200, "too long")]


@pytest.mark.parametrize(("path", "error"), SOCKETS)
def test_admin_socket_that_cannot_be_had_is_told_and_nothing_is_deleted(path, error, capsys):
    KeyFile("keys.json").add("pump")
    Path("precious.txt").write_text("precious")
    Path("x.toml").write_text(f'port = {free_port()}\nadmin_socket = "{path}"')
    status, _, err = words("serve --config x.toml", capsys)
    assert status == 1 and f"admin_socket {os.path.abspath(path)}" in err and error in err
    assert Path("precious.txt").read_text() == "precious"
    status, out, _ = words("check --config x.toml", capsys)
    assert status == 1 and f"admin_socket {os.path.abspath(path)}" in out and error in out


def test_longest_path_that_is_not_refused_can_be_had(tmp_path):
    async def play(path):
        admin = AdminServer(path, None, None, None)
        await admin.start()
        admin.close()

    longest = local_socket.PATH_BYTES - len(os.fsencode(tmp_path)) - 1
    if longest < 1:
        pytest.skip("the folder for temporary files has a long name")
    asyncio.run(play(str(tmp_path / ("x" * longest))))
    with pytest.raises(SettingsError, match="bytes, which is too long"):
        asyncio.run(play(str(tmp_path / ("x" * (longest + 1)))))


def test_line_that_no_request_can_have_is_refused_with_its_size(capsys):
    with Server():
        status, _, err = words(f"send pump {'x' * 70_000}", capsys)
        assert status == 1 and "that is too long: 70" in err and f"a server takes {MAX_REQUEST}" in err


def test_second_server_does_not_take_the_admin_socket_of_the_first(capsys):
    with Server():
        second = started("serve", "--port", str(free_port()), "--store", "other.db", stdout=subprocess.DEVNULL)
        text = second.communicate(timeout=PATIENCE_S)[1]
        assert "another server has the admin_socket" in text and second.returncode == 1
        assert words("clients", capsys)[0] == 0


def test_server_of_the_same_socket_that_was_killed_is_no_obstacle():
    with Server() as first:
        first.process.kill()
        first.process.wait()
    assert os.path.exists("pb_link.sock")
    KeyFile("keys.json").revoke("pump")
    with Server() as second:
        assert second.end()[0] == 0


def test_caller_of_tail_who_takes_nothing_is_told_that_lines_are_missing():
    async def play():
        tail = admin._tail("pump", asyncio.StreamReader())
        waiting = asyncio.create_task(anext(tail))
        await asyncio.sleep(0)
        admin.received("pump", [b"0"])
        assert await within(waiting) == "0"
        admin.received("pump", [b"%d" % number for number in range(1, MAX_BEHIND + 10)])
        shown = []
        with pytest.raises(ValueError, match="were not taken"):
            while True:
                shown.append(await within(anext(tail)))
        assert shown == [*map(str, range(1, MAX_BEHIND + 1))] and admin._tails == {"pump": set()}

    admin = AdminServer("x", None, None, None)
    asyncio.run(play())


def test_sensors_are_followed_and_asked_through_the_socket(tmp_path):
    async def play():
        async with Service(store=TemporaryStore()) as service:
            client = ChannelClient(service.port, (2,))
            await within(client.connect())
            registry = service.connection()._registry
            path = str(tmp_path / "admin.sock")
            admin = AdminServer(path, SimpleNamespace(known=lambda client_id: client_id), registry, service.store)
            await admin.start()
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(json.dumps({"do": "sensors", "id": client.client_id}).encode() + b"\n")
            number = standard_records().number("MCP9808")
            for at in range(3):
                envelope = encode_devbin(0, at, 1, [(0x18, number, 1, at, [(at, b"\x01\x50")])])
                client.send(2, encode_batch(7, at, {number: "MCP9808"}, envelope))
                found = json.loads(await within(reader.readline()))
                assert (found["device"], found["values"]) == ("1_18", {"temperature": 21.0})
            writer.close()
            reader, writer = await asyncio.open_unix_connection(path)
            request = {"do": "devman", "id": client.client_id, "path": "typeinfo", "arguments": {"deviceid": "1_18"}}
            writer.write(json.dumps(request).encode() + b"\n")
            found = json.loads(await within(reader.readline()))
            assert found["rslt"] == "ok" and found["devinfo"]["name"]
            writer.close()
            admin.close()
            client.cut()

    asyncio.run(play())


def test_answer_tells_on_which_port_the_server_listens(tmp_path):
    async def play():
        path = str(tmp_path / "admin.sock")
        admin = AdminServer(path, SimpleNamespace(clients=lambda: []), None, None, port=8124)
        await admin.start()
        assert await answer_from(path, {"do": "clients"}, PATIENCE_S) == {"clients": [], "node": None, "port": 8124}
        admin.close()

    asyncio.run(play())


def test_admin_socket_in_a_folder_that_cannot_be_written_any_more(monkeypatch):
    def unlink(path):
        raise PermissionError(13, "Permission denied", path)

    async def play():
        admin = AdminServer("pb_link.sock", None, None, None)
        await admin.start()
        monkeypatch.setattr(os, "unlink", unlink)
        admin.close()
        with pytest.raises(SettingsError, match="admin_socket pb_link.sock cannot be made: Permission denied"):
            await AdminServer("pb_link.sock", None, None, None).start()

    asyncio.run(play())
