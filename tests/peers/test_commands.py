"""The examples of requests: a client on virtual boards in real MicroPython, and its server."""

import sys

from tests.peers.processes import ROOT, running, up, write_settings


def test_client_runs_commands_and_answers(tmp_path, micropython64, micropython_bridge):
    write_settings(tmp_path)
    boards = {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}
    with running([sys.executable, ROOT / "examples" / "commands_server.py"], tmp_path) as server:
        with running(up(ROOT / "examples" / "commands.py"), tmp_path, **boards) as client:
            server.wait_for("{'do': 'wait', 'seconds': 1} -> waited")
            server.wait_for("{'do': 'add', 'a': 20, 'b': 1.5} -> 21.5")
            server.wait_for("{'do': 'dance'} -> channel 30: ValueError: there is no command 'dance'")
            client.wait_for("the server's time is ")
