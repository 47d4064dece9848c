"""`pb-link sim up`: the playground as a process, with clients in real MicroPython."""

import json
import re
import subprocess
import sys

import pytest

from sim.vcd import TICK_S
from tests.patience import PATIENCE_S
from tests.peers.processes import ROOT
from tests.sim.test_vcd import changes, decode

CLIENT = ROOT / "pb_link" / "pb_client.py"
QUICK = ("--boot-ms", "100", "--assoc-ms", "100")


@pytest.fixture
def playground(sim_with_bridge, default_port, tmp_path):
    """Runs `sim up` in an empty folder. Returns (result, output of the programs, events)."""

    def run(*options, status=0):
        done = sim_with_bridge("up", *options, *QUICK, "--json", cwd=tmp_path)
        assert done.returncode == status, done.stdout + done.stderr
        *lines, last = done.stdout.splitlines()
        return json.loads(last), lines, done.stderr.splitlines()

    return run


def test_an_empty_folder_is_enough_and_what_was_delivered_is_counted(playground, tmp_path):
    result, lines, events = playground(
        "--client", CLIENT, "--demo-server", "--seconds", 12, "--faults", "bridge-kill=1,i2c-bitflip=1,server-restart=1"
    )
    assert (tmp_path / "pb_settings.json").exists()
    counts = result["clients"]["demo"]
    there, back = counts["client_to_server"], counts["server_to_client"]
    # What the programs print is not what is counted: it has to agree with it.
    sent = sum(line.startswith("client | sent ") for line in lines)
    received = sum(line.startswith("client | received ") for line in lines)
    assert there["acknowledged"] >= 1 and there["acknowledged"] <= there["lines"] <= sent
    assert received <= back["lines"] and back["acknowledged"] <= received + 1
    assert result["read_by_the_server"]["in_order"] and result["read_by_the_server"]["read"] <= there["lines"]
    assert result["read_by_the_server"]["duplicated"] == result["read_by_the_server"]["corrupted"] == 0
    assert counts["bridge_resets"] >= 1 and counts["outages"] >= 1
    told = [line.split("* ")[1] for line in events if "fault *" in line]
    assert sorted(told) == ["bridge-kill", "i2c-bitflip", "server-restart"]


def test_lines_of_one_of_several_known_clients_are_compared(playground, tmp_path):
    keys = {"demo": "1" * 64, "other": "2" * 64}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    settings = {"id": "demo", "key": keys["demo"], "server": "127.0.0.1"}
    (tmp_path / "pb_settings.json").write_text(json.dumps(settings))
    result, _, _ = playground("--client", CLIENT, "--demo-server", "--seconds", 8)
    assert result["read_by_the_server"]["read"] >= 1 and result["read_by_the_server"]["in_order"]


def test_several_clients_have_boards_bridges_and_ids_of_their_own(playground):
    result, lines, _ = playground("--client", CLIENT, "--client", CLIENT, "--demo-server", "--seconds", 10)
    assert set(result["clients"]) == {"demo", "demo-2"}
    for name, counts in result["clients"].items():
        assert counts["server_to_client"]["acknowledged"] >= 1, (name, lines)
        assert any(re.match(rf" *{name} client \| received \[", line) for line in lines)
        assert any(f"server | {name} received [" in line for line in lines)


def test_a_client_that_is_reset_or_loses_power_goes_on_with_the_right_cause(playground, tmp_path):
    program = tmp_path / "client.py"
    program.write_text("import machine\nprint('cause', machine.reset_cause())\nimport pb_link.pb_client\n")
    result, lines, _ = playground(
        "--client", program, "--demo-server", "--seconds", 14, "--faults", "client-reset=1,client-kill=1"
    )
    assert result["clients"]["demo"]["client_resets"] == 2
    causes = [line.split()[-1] for line in lines if "cause" in line]
    assert causes[0] == "1" and sorted(causes[1:]) == ["1", "2"]


def test_the_program_that_ends_ends_the_playground_with_its_status(playground, tmp_path):
    program = tmp_path / "client.py"
    program.write_text("import sys\nsys.exit(7)\n")
    result, _, events = playground("--client", program, status=7)
    assert result["clients"]["demo"]["client_to_server"]["lines"] == 0
    assert any("its program ended with status 7" in line for line in events)
    assert any("python3 -m pb_link.s_app" in line for line in events)


def test_resets_of_a_client_whose_program_has_ended_are_none(playground, tmp_path):
    program = tmp_path / "client.py"
    program.write_text("print('ends')\n")
    result, _, _ = playground(
        "--client", program, "--client", CLIENT, "--demo-server", "--seconds", 14, "--faults",
        "client-reset=1,client-kill=1",
    )  # fmt: skip
    assert [result["clients"][name]["client_resets"] for name in ("demo", "demo-2")] == [0, 2]


COUNTS = """
import time
print("21 \u00b0C")
for count in range(%d):
    print("count", count)
    time.sleep_ms(20)
"""


@pytest.mark.parametrize("options", [(), ("--trace",)])
def test_the_run_ends_when_nobody_reads_its_output_any_more(sim_with_bridge, default_port, tmp_path, options):
    program = tmp_path / "client.py"
    program.write_text(COUNTS % 1_000_000)
    command = [sys.executable, "-m", "sim", "up", "--client", str(program), *options, *QUICK]
    environment = {**sim_with_bridge.environment, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        read = run.stderr if options else run.stdout
        try:
            for _ in range(3):
                assert read.readline()
            read.close()
            assert run.wait(2 * PATIENCE_S) == 2
            assert options or run.stderr.read().endswith("sim up: [Errno 32] Broken pipe\n")
        finally:
            run.kill()


def test_characters_that_the_output_cannot_have_are_escaped(sim_with_bridge, default_port, tmp_path):
    program = tmp_path / "client.py"
    program.write_text(COUNTS % 2)
    sim_with_bridge.environment["PYTHONIOENCODING"] = "ascii"
    done = sim_with_bridge("up", "--client", program, *QUICK, cwd=tmp_path)
    assert done.returncode == 0 and "client | 21 \\xb0C\n" in done.stdout and "client | count 1\n" in done.stdout


def test_trace_has_what_happens_at_both_ends_and_on_the_wires(sim_with_bridge, default_port, tmp_path):
    done = sim_with_bridge(
        "up", "--client", CLIENT, "--demo-server", "--seconds", 8, "--trace", "--faults", "bridge-kill=1", *QUICK,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0 and "what was delivered" in done.stdout, done.stderr
    for text in (
        "*** bridge-kill", "crash", "| sent [0, ", "| received [0, ", r"write 0x\w\w \d+ bytes: \w\w ",
        r"read 0x\w\w at \w{4} \d+ bytes: ", "> HELLO version=", r"> DATA seq=0 ", "< ACK ", "| listening on port",
    ):  # fmt: skip
        assert re.search(text if "\\" in text else re.escape(text), done.stderr), (text, done.stderr[-3000:])
    key = json.loads((tmp_path / "pb_settings.json").read_text())["key"]
    assert key not in done.stderr + done.stdout


def test_wires_are_written_bit_by_bit_and_have_what_crossed(playground, tmp_path):
    program = tmp_path / "client.py"
    text = CLIENT.read_text()
    assert (made := "json.dumps([count, gc.mem_free()])") in text
    program.write_text(text.replace(made, '"wire %d" % count'))
    result, _, _ = playground("--client", program, "--demo-server", "--seconds", 12, "--vcd", tmp_path / "wires.vcd")
    assert result["clients"]["demo"]["client_to_server"]["acknowledged"] >= 1
    sent = b"".join(data for _, _, data in decode(tmp_path / "wires.vcd"))
    assert b"wire 0" in sent
    ticks = [tick for tick, _, _ in changes(tmp_path / "wires.vcd")]
    assert ticks == sorted(ticks) and 1 < ticks[-1] * TICK_S < result["seconds"]  # the time of the wires is the run's


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--client", CLIENT, "--vcd", "x.vcd"), "one client"),
        (("--vcd", "nonesuch/x.vcd"), "No such file or directory: 'nonesuch/x.vcd'"),
        (("--faults", "gremlins=1"), "unknown fault 'gremlins'"),
        (("--demo-server", "--server", "10.0.0.1:8123"), "two servers"),
        (("--seconds", "0"), "not a whole number above 0"),
    ],
)
def test_mistakes_on_the_command_line_are_told(sim_with_bridge, tmp_path, options, said):
    done = sim_with_bridge("up", "--client", CLIENT, *options, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and not (tmp_path / "pb_settings.json").exists()
    assert done.stdout == ""  # no results of a run that did not begin
