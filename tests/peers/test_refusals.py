"""A client on boards of real MicroPython, with default hooks and no `verbose`: the error says what is wrong where."""

import contextlib
import socket
import sys
import threading

import pytest

from tests.peers.processes import running, up, write_settings

CLIENT = """
import asyncio

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware


class App(AppBase):
    def start(self):
        pass


asyncio.run(App(conn_id, config, hardware).await_msg())
"""

BYTES = {"http": b"HTTP/1.1 400 Bad Request\r\n\r\n", "closing": b""}


@pytest.fixture
def boards(micropython64, micropython_bridge):
    return {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}


def client(folder):
    path = folder / "client.py"
    path.write_text(CLIENT)
    return up(path)


@contextlib.contextmanager
def foreign(port, says):
    """A program at this port that says these bytes to everybody, and closes."""

    def serve():
        with contextlib.suppress(OSError):  # the listener is closed at the end
            while True:
                with listener.accept()[0] as peer:
                    peer.recv(4096)
                    peer.sendall(says)
                    peer.shutdown(socket.SHUT_WR)
                    while peer.recv(4096):
                        pass

    with socket.create_server(("127.0.0.1", port)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("says", "words"), [("http", "answers, but is no pb_link server"), ("closing", "closes each connection without")]
)
def test_program_that_is_no_server_is_in_the_error_of_bad_server(says, words, tmp_path, boards):
    place = "127.0.0.1:%d" % write_settings(tmp_path)["port"]
    with foreign(int(place.rpartition(":")[2]), BYTES[says]), running(client(tmp_path), tmp_path, **boards) as board:
        board.wait_for(f"pb_link: {place} {words}")
        board.wait_for(f"OSError: No initial server connection: {place} {words}")


def test_nobody_at_the_port_is_in_the_error_of_bad_server(tmp_path, boards):
    place = "127.0.0.1:%d" % write_settings(tmp_path)["port"]
    with running(client(tmp_path), tmp_path, **boards) as board:
        board.wait_for(f"OSError: No initial server connection: nobody listens at {place}")


def test_refusal_is_in_the_error_of_bad_server(tmp_path, boards):
    settings = write_settings(tmp_path)
    (tmp_path / "server").mkdir()
    write_settings(tmp_path / "server", port=settings["port"])
    with running([sys.executable, "-m", "pb_link.s_app"], tmp_path / "server") as server:
        server.wait_for("listening on port")
        with running(client(tmp_path), tmp_path, **boards) as board:
            board.wait_for(
                "OSError: No initial server connection: no session with 127.0.0.1:%d for the id 'demo':"
                " refused: unknown id or wrong key" % settings["port"]
            )
