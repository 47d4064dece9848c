"""The files of `pb-link init`, used as it says: its server, its client on simulated boards, and the demo with them."""

import json
import sys

import pytest

from tests.peers.processes import running, up
from tests.server.peer import free_port

PB_LINK = [sys.executable, "-m", "server"]


@pytest.fixture
def boards(micropython64, micropython_bridge):
    """Environment that names the interpreters of the boards."""
    return {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}


@pytest.fixture
def made(tmp_path):
    """An empty folder in which `pb-link init` was called, for a server on this computer alone."""
    words = ["init", "pump", "--port", str(free_port()), "--server", "127.0.0.1"]
    with running([*PB_LINK, *words], tmp_path) as init:
        init.wait_for("made pb_settings.json, keys.json, pb_link.toml, application.py, client.py")
        init.wait_for("(end of output)")
    return tmp_path


def test_server_and_client_that_init_wrote_talk_to_each_other(made, boards):
    with running([*PB_LINK, "check", "--config", "pb_link.toml"], made) as check:
        check.wait_for("(end of output)")
        assert [line for line in check.lines if not line.endswith(": good")] == ["(end of output)"]
    with running([*PB_LINK, "serve", "--config", "pb_link.toml"], made) as server:
        server.wait_for("started")
        with running(up(made / "client.py", "--stored-wifi"), made, **boards) as client:
            client.wait_for("client | got line 1")
            client.wait_for("client | got line 2")
        server.wait_for("line 2")


def test_key_that_was_rotated_with_its_settings_is_taken_by_the_running_server(made, boards):
    with running([*PB_LINK, "serve", "--config", "pb_link.toml"], made) as server:
        server.wait_for("started")
        with running([*PB_LINK, "keys", "rotate", "pump", "--settings", "pb_settings.json"], made) as rotate:
            rotate.wait_for("the key of pump is in")
            rotate.wait_for("(end of output)")
        with running(up(made / "client.py", "--stored-wifi"), made, **boards) as client:
            client.wait_for("client | got line 1")
        server.wait_for("new_key_used")


@pytest.mark.parametrize("interpreter", ["CPython", "MicroPython"])
def test_demo_server_serves_with_the_key_file_that_is_there(made, boards, interpreter, micropython64):
    client = made / "demo.py"
    client.write_text("import pb_link.pb_client\n")
    python = sys.executable if interpreter == "CPython" else micropython64
    with running([python, "-m", "pb_link.s_app"], made) as server:
        server.wait_for("listening on port")
        with running(up(client, "--stored-wifi"), made, **boards) as board:
            board.wait_for("received [1, 1]")


def test_demo_server_takes_no_key_that_the_key_file_has_not(made):
    """It would make a key, or serve with one, that `pb-link serve` beside it refuses."""
    settings = made / "pb_settings.json"
    text = settings.read_text()
    for change, said in (
        (None, f"there is no pb_settings.json in {made}"),
        ({"id": "other"}, "keys.json has no key of other, the client of pb_settings.json: pb-link keys add other "),
        ({"key": "ab" * 32}, "keys.json has another key of pump than pb_settings.json: pb-link keys rotate pump "),
    ):
        settings.unlink(missing_ok=True)
        if change:
            settings.write_text(json.dumps({**json.loads(text), **change}))
        with running([sys.executable, "-m", "pb_link.s_app"], made) as server:
            server.wait_for(said)
            server.wait_for("(end of output)")
        assert not any("ab" * 32 in line or json.loads(text)["key"] in line for line in server.lines)
