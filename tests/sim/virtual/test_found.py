"""What the simulator found, each once: docs/measurements.md has the list."""

import asyncio

from sim.virtual.apps import Pace
from sim.virtual.costs import PLACEHOLDERS, ZERO
from sim.virtual.run import VirtualRun
from sim.wires import wifi


def test_client_sleeps_while_the_mailbox_is_full():
    """An acknowledgement was due, and had no place: the client's loop ran without a pause until the bridge came."""
    run = VirtualRun(lines=20, size=3000, costs=ZERO)
    run.run()
    assert run.good
    assert run.world.slices < 3000 * run.seconds


def test_run_ends_whose_last_lines_went_with_the_client():
    """Of the checker: seed 930 had nothing left to deliver after the fault, and nobody looked."""
    run = VirtualRun(lines=20)
    link, ledger = run.link, run.ledger

    async def pause(end, last):
        """Before each line: the client's last one comes when all others have arrived, and goes with the power."""
        if end == "client" and ledger.client_next == 19:
            await asyncio.sleep(5)
            run.world.after(0, link.kill_client)
            run.world.after(1, link.start_client)

    run.job.pause = pause
    run.run()
    assert run.good, run.failure
    assert len(ledger.server_read) == 19 and len(ledger.client_written) == 20


SMALL_PIECES = """
    bridge-brownout=2 bridge-hang=1 bridge-exception=1 wifi-password=2 wifi-elsewhere=2 server-restart=1 slow-server=2
    i2c-bitflip=1 i2c-noise=1 i2c-nack=1 i2c-cut=2 i2c-stretch=1 scl-low=2 sda-stuck=1 irq-lost=1 irq-late=2
    syn-broken=2 ack-broken=2 rst-broken=1 syn-noise=1 ack-noise=1 tcp-reset=2 tcp-half-open=2 tcp-duplicated=1
    tcp-dropped=2 tcp-reordered=2 tcp-reflected=1 tcp-injected=2 client-busy=1 client-sleep=1 dns-silent=2
    bridge-memory=2
"""


def test_room_that_comes_in_small_pieces_does_not_fill_the_queue_of_lwip():
    """Seed 1535, with 200 ms to the server: each small piece that was acknowledged made room for another one."""
    counts = {name: int(count) for name, count in (word.split("=") for word in SMALL_PIECES.split())}
    costs = PLACEHOLDERS._replace(delay_s=0.2)
    run = VirtualRun(lines=200, size=50, seed=1535, counts=counts, pace=Pace(1000, 0.0, 0.5), costs=costs)
    run.run()
    assert run.good, run.failure


def run_with_syn_low(seconds):
    """A run with syn low from just before the ESP8266's program looks at it. Returns (VirtualRun, what it printed)."""
    run = VirtualRun(lines=20)
    syn, world, printed = run.link.nets["syn"], run.world, []
    board = run.link.esp8266.board
    execute, on_line = board.execute, board.on_line

    def executed(module, modules, *name):
        if module == "esp_link.main":
            board.execute = execute
            syn.drive("noise", 0)
            world.after(seconds, syn.drive, "noise", None)
        return execute(module, modules, *name)

    def heard(board, line):
        printed.append(line)
        on_line(board, line)

    board.execute, board.on_line = executed, heard
    run.run()
    assert run.good, run.failure
    return run, printed


def test_bridge_does_its_self_test_while_syn_is_low_and_goes_on():
    """Of the simulator: seed 5025 had noise on syn while the ESP8266 started, and the bed no `time.sleep_ms`."""
    run, printed = run_with_syn_low(4)
    assert printed[0] == "esp_link: self test" and any("up" in line for line in printed)
    assert run.link.esp8266.watchdog_bites == 0


def test_bridge_takes_noise_on_syn_for_no_request_of_a_self_test():
    """It wrote patterns over the mailbox of a client that had asked for nothing."""
    _, printed = run_with_syn_low(0.05)
    assert not any("self test" in line for line in printed)


def test_link_leaves_a_stored_network_that_does_not_lead_to_the_server():
    """A changed ssid was ignored as long as the network that the chip had stored was in range."""
    run = VirtualRun(lines=5)
    run.link.esp8266.station.store(wifi.ELSEWHERE)
    run.run()
    assert run.good, run.failure
    assert run.link.esp8266.station.config_ssid() == b"virtual"
