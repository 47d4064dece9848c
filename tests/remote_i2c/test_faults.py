"""Clients and servers that are killed, floods, and crowds: each call ends, and the bus is never torn or kept."""

import asyncio
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from remote_i2c.smbus_client.smbus import SMBus
from tests.patience import PATIENCE_S, until
from tests.remote_i2c import kill_run
from tests.remote_i2c.doors import A, open_door
from tests.remote_i2c.kill_run import SlowBus
from tests.sample import all_or
from tests.server.peer import free_port

ROOT = Path(__file__).resolve().parents[2]
SECONDS = all_or(15, 60)


@pytest.mark.timeout(600)
def test_clients_that_are_killed_tear_nothing_and_keep_nothing(report_line):
    """Eight clients under load, killed in any of their calls, and one whose device hangs: with the limits of a user."""
    seed = random.SystemRandom().randrange(1 << 30)
    figures = kill_run.run(SECONDS, random.Random(seed))
    report_line(f"smbus: seed {seed}: {figures}")
    assert figures["kills"] > 0
    assert figures["longest_with_stalls_ms"] >= figures["hold_ms"]  # the limit was needed
    assert figures["longest_hold_ms"] <= kill_run.MAY_MS


def server(port):
    """A door with the command, on a bus in RAM. While another program has the port, it is tried again."""
    deadline = time.monotonic() + PATIENCE_S
    while (process := _server(port)) is None:
        assert time.monotonic() < deadline, f"port {port} stays taken"
        time.sleep(0.1)
    return process


def _server(port):
    """Returns the process, which listens; None: the port is taken."""
    command = [sys.executable, "-m", "server", "smbus", "serve", "--bus", "1=python:tests.remote_i2c.test_faults:make"]
    process = subprocess.Popen(
        [*command, "--listen", f"127.0.0.1:{port}"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    said = ""
    while "Server started" not in said:
        line = process.stderr.readline()
        said += line
        if not line:
            process.wait()
            assert "another program" in said, said
            return None
    threading.Thread(target=process.stderr.read, daemon=True).start()
    return process


def make(argument, name):
    """A bus for `server`: python:tests.remote_i2c.test_faults:make."""
    return SlowBus({A: bytearray(range(256))})


def test_server_that_is_killed_in_calls_is_used_again():
    port = free_port()
    process = server(port)
    try:
        with SMBus(f"grpc://127.0.0.1:{port}/1", timeout_s=PATIENCE_S, retry_s=PATIENCE_S) as bus:
            found, ended = [], threading.Event()

            def read():
                while not ended.is_set():
                    found.append(bus.read_i2c_block_data(A, 16, 16))

            reader = threading.Thread(target=read)
            reader.start()
            for _ in range(3):
                count = len(found)
                until(lambda count=count: len(found) > count + 5, "calls")
                process.kill()
                process.wait()
                process = server(port)
            count = len(found)
            until(lambda: len(found) > count + 5, "calls after the last kill")
            ended.set()
            reader.join(PATIENCE_S)
            assert all(one == list(range(16, 32)) for one in found)
            bus.write_byte_data(A, 0, 7)
    finally:
        process.kill()
        process.wait()


def test_flood_of_sessions_and_calls_is_refused_and_harms_nobody():
    with open_door(max_of_peer=5, log=None) as door, SMBus(door.url) as bus:
        others, errors = [], []
        for _ in range(10):
            try:
                others.append(SMBus(door.url))
            except OSError as error:
                errors.append(error)
        assert len(others) == 4 and len(errors) == 6
        assert all("try again later" in str(error) for error in errors)

        def flood(one):
            for number in range(100):
                try:
                    one.read_byte_data(A, number)
                except OSError as error:
                    errors.append(error)

        threads = [threading.Thread(target=flood, args=(one,)) for one in others for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(50):
            assert bus.read_byte_data(A, number) == number
        for thread in threads:
            thread.join(PATIENCE_S)
        for one in others:
            one.close()
        SMBus(door.url).close()


def test_caller_that_holds_the_bus_for_too_long_loses_it():
    with open_door(shared={"hold_ms": 100}, log=None) as door, SMBus(door.url) as bus, SMBus(door.url) as other:
        door.call(lambda: setattr(door.bus, "gate", asyncio.Event()))
        batch = bus.batch()
        for _ in range(3):
            batch.read_byte(A)
        with pytest.raises(OSError, match="the bus has not answered within"):
            batch.run()
        door.call(lambda: setattr(door.bus, "gate", None))
        assert other.read_byte_data(A, 1) == 1
