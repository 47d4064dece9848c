"""`sim run` and `sim up`: the whole link in real MicroPython, counted, under faults."""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from sim.checker import FIELDS
from sim.mpy.bed import Bed
from tests.patience import PATIENCE_S
from tests.server.peer import free_port

KEYS = {
    "client_to_server", "server_to_client", "seconds", "i2c_bytes", "i2c_transactions", "resets", "outages", "fallbacks"
}  # fmt: skip


def counts(lines):
    return dict(sent=lines, delivered=lines, lost=0, duplicated=0, reordered=0, corrupted=0)


def run(sim, *arguments):
    result = sim("run", *arguments, "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout), result.stderr


def test_nothing_is_lost_with_every_fault_of_this_bed(sim_with_bridge, report_line):
    faults = "bridge-kill=2,wifi-outage=1,server-restart=1,i2c-bitflip=4"
    outcome, progress = run(sim_with_bridge, "--lines", 200, "--line-bytes", 50, "--faults", faults)
    assert set(outcome) == KEYS and set(outcome["client_to_server"]) == set(FIELDS)
    assert outcome["client_to_server"] == outcome["server_to_client"] == counts(200)
    # The faults have been felt: each ends the connection or the bridge.
    assert outcome["resets"] >= 2 and outcome["outages"] >= 3
    for name in ("bridge-kill", "wifi-outage", "server-restart"):
        assert f"fault: {name}" in progress
    assert progress.count("wire: bit flipped") >= 3
    report_line(next(line for line in progress.splitlines() if "least free heap" in line))


@pytest.mark.parametrize("lines, size", [(60, 180), (20, 1000), (10, 4000)])
def test_without_faults_no_transfer_waits_for_a_look_by_the_clock(sim_with_bridge, lines, size):
    outcome, progress = run(sim_with_bridge, "--lines", lines, "--line-bytes", size)
    assert outcome["client_to_server"] == outcome["server_to_client"] == counts(lines)
    assert outcome["fallbacks"] == {"client": 0, "bridge": 0}
    assert "no report at the end" not in progress


def test_the_bridge_runs_from_source_as_well(sim):
    outcome, _ = run(sim, "--lines", 20, "--bridge-source", "--boot-ms", 100, "--assoc-ms", 100)
    assert outcome["client_to_server"] == outcome["server_to_client"] == counts(20)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--lines", "0"),
        ("--lines", "x"),
        ("--lines", "10", "--faults", "gremlins=1"),
        ("--lines", "10", "--faults", "bridge-kill=1,bridge-kill=2"),
        ("--lines", "10", "--line-bytes", "3"),
        ("--lines", "10", "--bed", "imaginary"),
        ("--lines", "10", "--clock", "0"),
    ],
)
def test_mistakes_on_the_command_line_are_told(sim, arguments):
    result = sim("run", *arguments)
    assert result.returncode == 2 and result.stderr and "Traceback" not in result.stderr


def test_a_missing_interpreter_is_told(sim):
    sim.environment["MICROPYTHON"] = "/nowhere/micropython"
    result = sim("run", "--lines", "5", "--bridge-source")
    assert result.returncode == 2 and "/nowhere/micropython" in result.stderr


def test_a_run_that_cannot_finish_says_so(sim):
    result = sim("run", "--lines", "5", "--bridge-source", "--assoc-ms", "60000", "--timeout", "3", "--json")
    assert result.returncode == 1 and "not finished after 3 s" in result.stderr
    assert json.loads(result.stdout)["client_to_server"]["delivered"] == 0


def test_measuring_does_not_swallow_the_end_of_the_run():
    """The answer and the cancellation come in the same step of the loop: so it was with SIGTERM on a loaded machine."""

    async def main():
        board = Bed().add_board("b", "pyboard")
        board.alive, board.link = True, argparse.Namespace(send=lambda frame: None)
        measuring = asyncio.create_task(board.measure())
        await asyncio.sleep(0)
        board._measured.set_result(1000)
        measuring.cancel()
        with pytest.raises(asyncio.CancelledError):
            await measuring

    asyncio.run(main())


def children_of(group_leader):
    """Processes that descend from this one."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as stat:
                parents[int(name)] = int(stat.read().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
    return {child for child, parent in parents.items() if parent == group_leader}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_no_child_survives_the_end_of_a_run(sim, number):
    command = [sys.executable, "-m", "sim", "run", "--lines", "100000", "--bridge-source", "--quiet"]
    process = subprocess.Popen(command, env=sim.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE_S
    while len(children := children_of(process.pid)) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(children) == 3
    process.send_signal(number)
    assert process.wait(PATIENCE_S) == 128 + number
    deadline = time.monotonic() + PATIENCE_S
    while left := [child for child in children if os.path.exists(f"/proc/{child}")]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def up(sim, tmp_path, *options):
    """`sim up` of a small client against a small server. Returns its result."""
    settings = {"port": 8123, "server": "192.0.2.1", "ssid": "any", "password": "any network's", "key": "ab" * 32}
    (tmp_path / "pb_settings.json").write_text(json.dumps(settings))
    (tmp_path / "client.py").write_text(
        "import asyncio\n"
        "from pb_link.app_base import AppBase\n"
        "from pb_link.config import config, conn_id, hardware\n"
        "class App(AppBase):\n"
        "    def start(self):\n"
        "        asyncio.create_task(self.talk())\n"
        "    async def talk(self):\n"
        "        await self.write('hello')\n"
        "        print(await self.readline())\n"
        "        self.close()\n"
        "        raise SystemExit\n"
        "asyncio.run(App(conn_id, config, hardware).await_msg())\n"
    )
    (tmp_path / "own_server.py").write_text(
        "import asyncio, sys, server\n"
        "async def echo():\n"
        "    conn = await server.client_conn('demo')\n"
        "    await conn.write('you said ' + await conn.readline())\n"
        "async def main():\n"
        "    asyncio.create_task(echo())\n"
        "    await server.run({'demo'}, port=int(sys.argv[1]), keys={'demo': 'ab' * 32})\n"
        "asyncio.run(main())\n"
    )
    port = free_port()
    environment = {**sim.environment, "PYTHONPATH": os.getcwd()}
    server = subprocess.Popen([sys.executable, tmp_path / "own_server.py", str(port)], env=environment, cwd=tmp_path)
    try:
        return sim("up", "--client", tmp_path / "client.py", "--server", f"127.0.0.1:{port}", *options, cwd=tmp_path)
    finally:
        server.kill()
        server.wait()


def test_up_runs_a_users_client_against_a_users_server(sim, tmp_path):
    result = up(sim, tmp_path, "--bridge-source")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "client | you said hello" in result.stdout


def test_up_leaves_a_stored_network_that_does_not_lead_to_the_server(sim_with_bridge, tmp_path):
    """The frozen bridge, with its chip's modules in C, and the client's default hooks, of which bad_server ends it."""
    result = up(sim_with_bridge, tmp_path, "--stored-elsewhere", "--assoc-ms", "200", "--boot-ms", "200")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "client | you said hello" in result.stdout


@pytest.mark.parametrize("address", ["localhost", ":8123", "host:0", "host:x"])
def test_up_refuses_what_is_no_address(sim, tmp_path, address):
    (tmp_path / "client.py").write_text("")
    result = sim("up", "--client", tmp_path / "client.py", "--server", address)
    assert result.returncode == 2 and "HOST:PORT" in result.stderr


DYING = """
import asyncio

async def dies():
    await asyncio.sleep(0.1)
    raise ValueError("the task is dead")

async def main():
    task = asyncio.create_task(dies())
    await asyncio.sleep(1000)

asyncio.run(main())
"""


@pytest.mark.parametrize("bed", ["mpy", "virtual"])
def test_application_that_dies_fails_the_run_at_once_with_its_traceback(sim_with_bridge, bed):
    # A line longer than the link takes: the client's task fails. The run could wait for 60 s.
    result = sim_with_bridge("run", "--bed", bed, "--lines", 5, "--line-bytes", 10000, "--json")
    assert result.returncode == 1
    assert "FAILED: the client's program ended" in result.stderr
    assert "Traceback" in result.stderr and "ValueError: the line has 9999 bytes" in result.stderr
    assert json.loads(result.stdout)["seconds"] < 40


@pytest.mark.parametrize("kind", ["pyboard", "rp2", "esp8266"])
def test_task_that_dies_ends_the_program_of_a_board_with_its_traceback(board, kind):
    # MicroPython alone would print it and go on.
    assert "ValueError: the task is dead" in board(DYING, "--board", kind, status=1)


def test_task_that_dies_ends_sim_up_with_its_traceback(sim_with_bridge, tmp_path):
    client = tmp_path / "client.py"
    client.write_text(DYING)
    result = sim_with_bridge("up", "--client", client)
    assert result.returncode == 1, result.stderr
    assert "client | ValueError: the task is dead" in result.stdout


def test_task_that_somebody_awaits_is_his_and_ends_nothing(board):
    program = DYING.replace("    await asyncio.sleep(1000)\n", """
    try:
        await task
    except ValueError as error:
        print("caught", error)
""")
    assert board(program) == "caught the task is dead\n"


def test_counted_client_has_memory_for_the_longest_lines(sim_with_bridge):
    outcome, _ = run(sim_with_bridge, "--lines", 12, "--line-bytes", 8192)
    assert outcome["client_to_server"] == outcome["server_to_client"] == counts(12)
