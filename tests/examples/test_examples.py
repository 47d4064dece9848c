"""The examples of client programs and server applications, in virtual time, with faults: what their heads say is so."""

import ast
import importlib.util
import json
import random
import re
import struct
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
COMMAND = r"(?m)`((?:python3|pb-link|mpremote|PYTHONPATH=.|import) [^`]*)`|^    ((?:python3|pb-link) .*)"


@pytest.fixture
def example():
    """Imports the server application of an example, each time anew."""

    def load(name):
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_head_says_how_to_run_it(path):
    head = ast.get_docstring(ast.parse(path.read_text()))
    typed = re.findall(COMMAND, head)
    assert any(re.search(rf"\b{path.stem}\b", "".join(one)) for one in typed), head


class Lines:
    """A handler that keeps what comes."""

    def __init__(self):
        self.found = []

    async def __call__(self, conn):
        async for line in conn.lines(ahead=0):
            self.found.append(line.rstrip("\n"))


@pytest.mark.parametrize("celsius, text", [(21.5, "21.50"), (-3.25, "-3.25")])
def test_thermometer_sends_what_its_sensor_measures_once_a_minute(virtual_link, celsius, text):
    lines = Lines()
    plan = [{"type": "TMP117", "values": {"temperature": celsius}}]
    link = virtual_link(EXAMPLES / "thermometer.py", lines, sensors=plan)
    link.run_until(lambda: len(lines.found) == 2)
    link.inject("bridge-kill")
    link.run_until(lambda: len(lines.found) == 5)
    assert lines.found == [text] * 5 and 240 < link.seconds < 260


class Switch:
    """A handler that keeps the states of the switch, and is its Connection."""

    def __init__(self):
        self.states, self.others, self.connection = [], [], None

    async def __call__(self, conn):
        self.connection = conn
        async for line in conn.lines(ahead=0):
            found = json.loads(line)
            self.states.append(found["on"]) if "on" in found else self.others.append(found)


@pytest.fixture
def switch(virtual_link):
    states = Switch()
    link = virtual_link(EXAMPLES / "switch.py", states)
    link.run_until(lambda: states.states)
    return link, states


def test_switch_obeys_and_tells_its_state_through_a_crash(switch):
    link, states = switch
    assert states.others[0]["announce"] == "switch" and states.states == [False]
    link.inject("bridge-kill")
    link.on_server(states.connection.write('{"on": true}'))
    link.run_until(lambda: states.states == [False, True])
    assert link.pin("Y1").level == 1
    link.on_server(states.connection.write('{"on": true}'))
    link.on_server(states.connection.write('{"on": false}'))
    link.run_until(lambda: states.states == [False, True, False])
    assert link.pin("Y1").level == 0


@pytest.mark.parametrize("line", ["on", "[]", "{}", "null", '"on"', '{"on"'])
def test_switch_does_not_fail_by_what_is_no_command(switch, line):
    link, states = switch
    link.on_server(states.connection.write(line))
    assert link.wait_for("this is no command") == f"this is no command: {line}"
    link.on_server(states.connection.write('{"on": true}'))
    link.run_until(lambda: states.states == [False, True])


def test_switch_goes_off_when_the_server_has_been_away_for_a_minute(switch):
    link, states = switch
    link.on_server(states.connection.write('{"on": true}'))
    link.run_until(lambda: states.states == [False, True])
    link.inject("server-kill")  # back within 5 s
    link.run(120)
    assert link.pin("Y1").level == 1
    link.wifi(False)
    link.run(50)
    assert link.pin("Y1").level == 1
    link.run(20)
    assert link.pin("Y1").level == 0 and states.states[-1] is True
    link.wifi(True)
    link.run_until(lambda: states.states[-1] is False)


def test_thermostat_heats_with_one_client_by_the_values_of_another(virtual_link, example):
    course = [[0, 18.0], [300, 18.0], [301, 20.4], [600, 20.4], [601, 21.0]]
    plan = [{"type": "TMP117", "values": {"temperature": course}}]
    clients = {"heater": EXAMPLES / "switch.py", "thermometer": EXAMPLES / "thermometer.py"}
    link = virtual_link(clients, example("thermostat").use, sensors=plan)
    heater = link.pin("Y1", "heater")
    link.run_until(lambda: heater.level == 1)
    link.inject("bridge-kill", "heater")
    link.run(600 - link.seconds)
    assert heater.level == 1  # 20.4 is within the span
    link.run_until(lambda: heater.level == 0, timeout_s=120)
    assert 'heater {"on": false}' in link.lines(board="server")


@pytest.mark.parametrize("seed", range(2))
def test_each_reading_is_entered_once_whatever_fails(virtual_link, example, tmp_path, seed):
    server = example("exactly_once")
    database = server.open_database(tmp_path / "readings.db")
    link = virtual_link(EXAMPLES / "readings.py", lambda conn: server.follow(conn, database), seed=seed)
    link.analog("X19", lambda: int(link.seconds))
    chance = random.Random(seed)
    for _ in range(8):
        link.inject(chance.choice(["bridge-kill", "wifi-outage", "server-kill", "tcp-half-open", "i2c-noise"]))
        link.run(chance.uniform(30, 200))
    link.run(300)
    rows = [struct.unpack(">II", data) for (data,) in database.execute("SELECT data FROM reading ORDER BY rowid")]
    assert [seconds for seconds, _ in rows] == list(range(0, 60 * len(rows), 60))
    assert len(rows) >= link.seconds // 60 - 1 and all(abs(at - value) < 8 for at, value in rows)
    database.close()


def test_readings_of_an_outage_wait_and_the_oldest_are_dropped_when_there_are_too_many(virtual_link, example, tmp_path):
    client = tmp_path / "readings.py"
    client.write_text((EXAMPLES / "readings.py").read_text().replace("KEPT = 720", "KEPT = 5"))
    server = example("exactly_once")
    database = server.open_database(tmp_path / "readings.db")
    link = virtual_link(client, lambda conn: server.follow(conn, database))
    link.run(90)
    link.wifi(False)
    link.run(600)
    link.wifi(True)
    link.run(180)
    seconds = [struct.unpack(">I", data[:4])[0] for (data,) in database.execute("SELECT data FROM reading")]
    # The third was the link's when the outage began; of the nine after it the last five were kept.
    assert seconds == [0, 60, 120, *range(420, seconds[-1] + 1, 60)] and seconds[-1] >= 780
    database.close()


def test_server_that_is_killed_between_transaction_and_request_enters_nothing_twice(example, tmp_path):
    server = example("exactly_once")
    database = server.open_database(tmp_path / "readings.db")
    message = type("Message", (), {"number": 7, "received_at": 1, "data": b"x"})
    assert server.enter(database, "demo", message) and not server.enter(database, "demo", message)
    assert database.execute("SELECT count(*) FROM reading").fetchone() == (1,)
    database.close()


@pytest.mark.parametrize("deep", [False, True])
def test_client_that_sleeps_sends_a_value_each_time_and_gets_what_waits(virtual_link, tmp_path, deep):
    text = (EXAMPLES / "battery.py").read_text()
    client = tmp_path / "battery.py"
    text = text.replace("SLEEP_MS = 600_000", "SLEEP_MS = 60_000")
    client.write_text(text.replace("SLEEP = machine.lightsleep ", "SLEEP = machine.deepsleep ") if deep else text)
    lines = Lines()
    link = virtual_link(client, lines)
    link.analog("X19", lambda: len(lines.found))
    link.run(20)
    for number in range(3):
        link.on_server(link.connection().write(f"line {number}", wait=False))
    link.run_until(lambda: len(lines.found) == 4)
    assert [int(line) for line in lines.found] == [0, 1, 2, 3] and link.seconds > 180
    assert [line for line in link.lines() if line.startswith("told")] == [f"told: line {number}" for number in range(3)]
    assert link.wait_for("esp_link: up", board="bridge") and len(link.lines(board="bridge")) == 1  # it was never reset


def test_file_arrives_whole_through_crashes(virtual_link, example, tmp_path):
    server = example("file_server")
    data = random.Random(1).randbytes(30_000)
    link = virtual_link(EXAMPLES / "file_client.py", lambda conn: server.receive_files(conn, tmp_path / "files"))
    (link.flash() / "data.bin").write_bytes(data)
    for fault in ("bridge-kill", "server-kill", "wifi-outage"):
        link.run(5)
        link.inject(fault)
    assert link.wait_for("the server has") == "the server has 30000 bytes"
    assert (tmp_path / "files" / "data.bin").read_bytes() == data


def test_commands_are_answered_and_what_they_raise_is_told(virtual_link, example, capsys):
    link = virtual_link(EXAMPLES / "commands.py", example("commands_server").use)
    link.wait_for("the server's time is")
    link.wait_for("{'do': 'wait', 'seconds': 1} -> waited", board="server")
    link.wait_for("{'do': 'add', 'a': 20, 'b': 1.5} -> 21.5", board="server")
    link.wait_for("ValueError: there is no command 'dance'", board="server")


def test_smallest_client_and_server_play_ping_pong(virtual_link, example):
    link = virtual_link(EXAMPLES / "client.py", example("server_app").answer)
    link.wait_for("pong", count=3)
    link.inject("client-kill")
    link.wait_for("pong", count=6)
