"""The demo server under both interpreters serves the demo client on virtual boards; so do the examples each other."""

import asyncio
import signal
import socket
import sys

import pytest

from pb_link.s_app import counted, receiver
from tests.peers.processes import ROOT, START_S, running, up, write_settings
from tests.server.peer import open_stream


@pytest.fixture
def boards(micropython64, micropython_bridge):
    """Environment that names the interpreters of the boards."""
    return {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}


def demo_client(folder):
    client = folder / "client.py"
    client.write_text("import pb_link.pb_client\n")
    return client


@pytest.mark.parametrize("interpreter", ["CPython", "MicroPython"])
def test_demo_server_serves_the_demo_client(interpreter, tmp_path, micropython64, boards):
    write_settings(tmp_path)
    python = sys.executable if interpreter == "CPython" else micropython64
    with running([python, "-m", "pb_link.s_app"], tmp_path) as server:
        server.wait_for("listening on port")
        with running(up(demo_client(tmp_path)), tmp_path, **boards) as client:
            client.wait_for("received [4, 4]")
        server.wait_for("received", 2)
        server.wait_for("sent [4, 4]")


def test_client_without_good_settings_ends_and_says_why(tmp_path, boards):
    (tmp_path / "pb_settings.json").write_text('{"key": "' + "ab" * 32 + '", "pasword": "x"}')
    with running(up(ROOT / "examples" / "client.py"), tmp_path, **boards) as client:
        client.wait_for("there is no setting 'pasword'")
        client.wait_for("its program ended with status 1")


def test_client_without_settings_gets_those_of_the_demo_server(tmp_path, boards):
    with running(up(ROOT / "examples" / "client.py"), tmp_path, **boards) as client:
        client.wait_for("made pb_settings.json with a fresh key")
        client.wait_for("start the server in this folder")
        with running([sys.executable, "-m", "pb_link.s_app"], tmp_path):
            client.wait_for("ping")


def test_demo_client_waits_for_a_server_that_is_started_later(tmp_path, boards):
    """As README has it: the client's board is reset, then the server is started."""
    write_settings(tmp_path)
    with running(up(demo_client(tmp_path)), tmp_path, **boards) as client:
        client.wait_for("pb_link: No initial server connection")
        with running([sys.executable, "-m", "pb_link.s_app"], tmp_path):
            client.wait_for("received [1, 1]")


@pytest.mark.parametrize(
    ("line", "answered"),
    [("[7, 30000]\n", 7), ("ping\n", "ping"), ("[]\n", "[]"), ("7\n", "7"), ("{}\n", "{}"), ("\n", "")],
)
def test_demo_server_answers_a_line_of_any_client(line, answered):
    assert counted(line) == answered


def test_examples_serve_each_other(tmp_path, boards):
    write_settings(tmp_path)
    with running([sys.executable, ROOT / "examples" / "server_app.py"], tmp_path) as server:
        with running(up(ROOT / "examples" / "client.py"), tmp_path, **boards) as client:
            client.wait_for("pong", 2)
        server.wait_for("ping", 2)


def example_ended(folder, stop=None):
    """The status and what the server's example shows besides, of one that cannot begin or is stopped."""
    with running([sys.executable, ROOT / "examples" / "server_app.py"], folder) as server:
        if stop is not None:
            asyncio.run(open_and_close(stop))
            server.process.send_signal(signal.SIGINT)
        status = server.process.wait(START_S)
        server.wait_for_end()
    return status, server.lines[:-1]


async def open_and_close(port):
    (await open_stream(port))[1].close()


def test_example_of_a_server_ends_with_one_line_that_says_what_to_do(tmp_path):
    settings = write_settings(tmp_path)
    with socket.create_server(("0.0.0.0", settings["port"])):
        status, lines = example_ended(tmp_path)
    assert status == 1 and len(lines) == 1, lines
    assert lines[0].startswith(f"server_app: port = {settings['port']} ") and "is in use" in lines[0]
    for text, said in (("{", "pb_settings.json"), ('{"key": "12"}', "key")):
        (tmp_path / "pb_settings.json").write_text(text)
        status, lines = example_ended(tmp_path)
        assert status == 1 and len(lines) == 1 and lines[0].startswith("server_app: ") and said in lines[0], lines


def test_example_of_a_server_ends_without_a_traceback_at_ctrl_c(tmp_path):
    settings = write_settings(tmp_path)
    status, lines = example_ended(tmp_path, settings["port"])
    assert status == 0 and "Traceback" not in "\n".join(lines), lines


def test_example_for_one_board(tmp_path, boards):
    command = [sys.executable, "-m", "sim", "board", ROOT / "examples" / "blink.py"]
    with running(command, tmp_path, **boards) as board:
        board.wait_for("X1 1 X2 1")
        board.wait_for("X1 0 X2 0")


def test_wrong_key_is_refused_with_one_line_and_a_hint_at_the_client(tmp_path, boards):
    settings = write_settings(tmp_path)
    other = tmp_path / "server"
    other.mkdir()
    write_settings(other, port=settings["port"])
    with running([sys.executable, "-m", "pb_link.s_app"], other) as server:
        server.wait_for("listening on port")
        with running(up(demo_client(tmp_path)), tmp_path, **boards) as client:
            client.wait_for("refused: unknown id or wrong key")
            client.wait_for("No initial server connection")
        text = "\n".join(server.lines + client.lines)
        assert settings["key"] not in text and settings["password"] not in text


def test_demo_server_makes_a_settings_file_with_a_fresh_key(tmp_path):
    with running([sys.executable, "-m", "pb_link.s_app"], tmp_path) as server:
        server.wait_for("made pb_settings.json")
    assert (tmp_path / "pb_settings.json").stat().st_mode & 0o077 == 0


def ended(folder):
    """The status and the lines of a demo server that cannot begin."""
    with running([sys.executable, "-m", "pb_link.s_app"], folder) as server:
        status = server.process.wait(START_S)
        server.wait_for("s_app: ")
    return status, [line for line in server.lines if line.startswith(("s_app: ", "Traceback"))]


def test_demo_server_says_in_a_line_that_its_port_is_in_use(tmp_path):
    settings = write_settings(tmp_path)
    with socket.create_server(("0.0.0.0", settings["port"])):
        status, lines = ended(tmp_path)
    assert status == 1 and len(lines) == 1 and f"port = {settings['port']} " in lines[0] and "is in use" in lines[0]


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"key": "12"}', '{"id": 5}', '{"id": ["a"]}'])
def test_demo_server_says_in_a_line_that_its_settings_are_no_good(text, tmp_path):
    (tmp_path / "pb_settings.json").write_text(text)
    status, lines = ended(tmp_path)
    assert status == 1 and len(lines) == 1 and "pb_settings.json" in lines[0], lines


def test_demo_server_ends_at_once_and_without_a_word_at_ctrl_c(tmp_path):
    write_settings(tmp_path)
    with running([sys.executable, "-m", "pb_link.s_app"], tmp_path) as server:
        server.wait_for("listening on port")
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(START_S) == 0
    assert "Traceback" not in "\n".join(server.lines) and "listener closed" not in "\n".join(server.lines)


def test_line_that_was_read_is_printed_with_its_spaces(capsys):
    """`pb-link sim up` compares what is printed with what has crossed."""

    class Lines:
        def __init__(self):
            self._left = [" ok  \n", "\tx \r\n", "\n"]

        async def readline(self):
            if not self._left:
                raise EOFError
            return self._left.pop(0)

    with pytest.raises(EOFError):
        asyncio.run(receiver(Lines(), [], ""))
    assert capsys.readouterr().out == "received  ok  \nreceived \tx \r\nreceived \n"
