"""sim/mpy/screen.py and keyboard.py: what is drawn, and a playground in a terminal whose keys are pressed."""

import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from types import SimpleNamespace

import pytest

from sim.mpy import fault_actions, screen
from sim.mpy.playground import BAD, BUSY, GOOD
from tests.patience import PATIENCE_S
from tests.peers.processes import ROOT, running

STATE = [("board", GOOD, "running"), ("bridge", BUSY, "boots"), ("Wi-Fi", BAD, "away"), ("server", BAD, "unreachable")]


def test_boxes_name_the_parts_and_say_their_state_in_words():
    top, first, second, bottom = screen.boxes(STATE, ["", "2 resets", "", "1 outage", "> 7 < 5"], False)
    assert {len(line) for line in (top, first, second, bottom)} == {75}
    assert re.findall(r"┌ (\S+) ", top) == ["board", "bridge", "Wi-Fi", "server", "lines"]
    assert [words.strip() for words in first.strip("│").split("││")] == [
        "● running", "◐ boots", "○ away", "○ unreachable", "> 7 < 5"
    ]  # fmt: skip
    assert "2 resets" in second and "1 outage" in second


def test_colour_is_beside_the_words_and_can_be_left_out():
    with_colours = screen.boxes(STATE, [""] * 5, True)
    assert re.sub(r"\x1b\[\d*m", "", "".join(with_colours)) == "".join(screen.boxes(STATE, [""] * 5, False))
    assert "\x1b[31m○ away" in with_colours[1]


def test_one_of_several_clients_is_a_row_that_fits():
    text = screen.row(2, "garden-pump-east", STATE, "> 7 < 5", True, False)
    assert text.startswith(">2 garden-pum ● running") and text.endswith("> 7 < 5") and len(text) <= 80


def test_keys_are_faults_that_there_are():
    assert {name for name, _ in screen.KEYS.values()} == set(fault_actions.NAMES)


@pytest.mark.parametrize("key", ["²", "٢", "3", "0", "\x1b", ""])
def test_key_that_is_none_does_nothing(key):
    one = screen.Screen(None, None, False)
    one._playground = SimpleNamespace(clients=["first", "second"])
    one._key(key)
    assert one._selected == 0


class Terminal:
    """A program in a terminal of 30 lines. `text`: all that it has shown."""

    def __init__(self, command, folder, environment, columns):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        self.text = ""
        self._hung_up = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while not self._hung_up:
            try:
                data = os.read(self.ours, 65536)
            except OSError:
                return
            self.text += data.decode(errors="replace")
        os.close(self.ours)

    def hang_up(self):
        """Closes the terminal, as its window is closed."""
        self._hung_up = True
        os.close(self.theirs)
        self.theirs = None

    def wait_for(self, pattern, begin=0):
        """Returns the place behind the text that it has shown, from `begin` on."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := re.compile(pattern).search(self.text, begin)):
            assert time.monotonic() < deadline and self.process.poll() is None, (pattern, self.text[begin:])
            time.sleep(0.02)
        return found.end()

    def wait_for_last(self, text, begin=0):
        """Waits until what it has printed before it ended was read, from `begin` on."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.text[begin:]:
            assert time.monotonic() < deadline, (text, self.text)
            time.sleep(0.02)

    def press(self, keys):
        """Returns the place from which on is shown what comes of it."""
        begin = len(self.text)
        os.write(self.ours, keys.encode())
        return begin

    def close(self):
        self.process.terminate()  # it ends its server, which has a session of its own and the default port
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self.process.wait()
        if self.theirs is not None:
            os.close(self.theirs)


# What a shell does for a job in the foreground. Without one SIGTSTP stops nothing: the group has nobody to continue it.
JOB_CONTROL = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
def foreground():
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
job = subprocess.Popen([sys.executable, *sys.argv[1:]], preexec_fn=foreground)
while os.WIFSTOPPED(status := os.waitpid(job.pid, os.WUNTRACED)[1]):
    os.tcsetpgrp(0, os.getpgrp())
    print("job", job.pid, "stopped by", os.WSTOPSIG(status), flush=True)
    sys.stdin.readline()
    os.tcsetpgrp(0, job.pid)
    os.kill(job.pid, signal.SIGCONT)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.fixture
def terminal(sim_with_bridge, default_port, tmp_path):
    (tmp_path / "client.py").write_text("import pb_link.pb_client\n")
    opened = []

    def start(*options, columns=100, before=()):
        quick = ("--boot-ms", "500", "--assoc-ms", "100")
        command = [sys.executable, *before, "-m", "sim", "up", "--demo-server", *quick, *options]
        environment = {**sim_with_bridge.environment, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
        opened.append(Terminal(command, tmp_path, environment, columns))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_keys_cause_faults_whose_effect_is_seen_and_the_terminal_is_given_back(terminal):
    one = terminal("--client", "client.py")
    one.wait_for("● connected")
    one.wait_for(r"--> \| \[\d+, \d+\]")  # a line that moves
    at = one.wait_for("bridge \\| crash", one.press("k"))
    one.wait_for("◐ boots", at)
    one.wait_for("● connected", at)
    at = one.wait_for("wifi-outage", one.press("w"))
    one.wait_for("○ away", at)
    at = one.wait_for("● connected", at)
    at = one.wait_for("keys \\| p  take the client's power", one.press("?"))
    one.wait_for("client \\| starts again", one.press("r"))
    one.wait_for("connected", one.press("\x1b[A"))  # a cursor key does nothing
    at = one.press("")
    one.process.send_signal(signal.SIGWINCH)
    one.wait_for("\\x1b\\[2J", at)
    at = one.press("q")
    assert one.process.wait(PATIENCE_S) == 0
    one.wait_for_last("what was delivered", at)
    assert "\x1b[r" in one.text[at:]
    assert termios.tcgetattr(one.theirs) == one.before


def test_digits_select_one_of_several_clients(terminal):
    one = terminal("--client", "client.py", "--client", "client.py")
    one.wait_for("(?s)>1 demo .*2 demo-2 ")
    one.wait_for(">2 demo-2", one.press("2"))
    one.wait_for("demo-2 bridge \\| crash", one.press("k"))
    one.press("q")
    assert one.process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize(("options", "columns"), [(["--plain"], 100), ([], 60)])
def test_plain_lines_on_request_and_where_the_terminal_is_too_small(terminal, options, columns):
    one = terminal("--client", "client.py", *options, columns=columns)
    one.wait_for("client \\| received")
    assert "\x1b[" not in one.text
    one.process.send_signal(signal.SIGINT)
    assert one.process.wait(PATIENCE_S) == 128 + signal.SIGINT


def server_listens(folder):
    port = json.loads((folder / "pb_settings.json").read_text())["port"]
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("options", [[], ["--plain"]])
def test_terminal_that_is_closed_ends_the_server_too(terminal, tmp_path, options):
    one = terminal("--client", "client.py", *options)
    one.wait_for("client \\| received|--> \\| \\[")
    assert server_listens(tmp_path)
    one.hang_up()
    assert one.process.wait(PATIENCE_S) == 128 + signal.SIGHUP
    assert not server_listens(tmp_path)


def test_signal_that_ends_it_gives_the_terminal_back_and_ends_the_server(terminal, tmp_path):
    one = terminal("--client", "client.py")
    one.wait_for("● connected")
    for _ in range(3):  # one that comes while it ends changes nothing
        one.process.send_signal(signal.SIGQUIT)
    assert one.process.wait(PATIENCE_S) == 128 + signal.SIGQUIT
    one.wait_for_last("what was delivered")
    assert termios.tcgetattr(one.theirs) == one.before and not server_listens(tmp_path)


def test_nohup_goes_on_when_its_terminal_is_closed(sim_with_bridge, default_port, tmp_path):
    (tmp_path / "client.py").write_text("import pb_link.pb_client\n")
    command = ["nohup", sys.executable, "-m", "sim", "up", "--client", "client.py", "--demo-server", "--plain"]
    with running(command, tmp_path, **sim_with_bridge.interpreters) as one:
        one.wait_for("| received")
        count = len(one.lines)
        one.process.send_signal(signal.SIGHUP)
        one.wait_for("| received", count=1 + sum("| received" in line for line in one.lines[:count]))


def test_stopped_job_leaves_the_terminal_as_it_was_and_takes_it_again(terminal):
    one = terminal("--client", "client.py", before=("-c", JOB_CONTROL))
    one.wait_for("● connected")
    at = one.press("\x1a")  # Ctrl-Z
    end = one.wait_for(rf"job \d+ stopped by {signal.SIGTSTP:d}\r", at)
    assert "\x1b[r" in one.text[at:end] and "\x1b[?25h" in one.text[at:end]
    assert termios.tcgetattr(one.theirs) == one.before
    at = one.wait_for("\x1b\\[2J", one.press("fg\n"))
    one.wait_for("keys \\| p  take the client's power", one.press("?"))
    job = int(re.search(r"job (\d+)", one.text)[1])
    os.kill(job, signal.SIGSTOP)
    one.wait_for(f"stopped by {signal.SIGSTOP:d}\r", at)
    termios.tcsetattr(one.theirs, termios.TCSANOW, one.before)  # as shells do
    one.wait_for("\x1b\\[2J", one.press("fg\n"))
    one.wait_for("keys \\| p  take the client's power", one.press("?"))
    one.press("q")
    assert one.process.wait(PATIENCE_S) == 0
    assert termios.tcgetattr(one.theirs) == one.before
