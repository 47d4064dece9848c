"""Clients and servers that are killed, floods, and crowds: each call ends, and the bus is never torn or kept."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from remote_i2c.errors import no_answer
from remote_i2c.smbus_client.smbus import SMBus
from tests.patience import PATIENCE_S, until
from tests.remote_i2c.crowd import PAIRS
from tests.remote_i2c.doors import A, open_door
from tests.remote_i2c.fake_bus import FakeBus
from tests.sample import all_or
from tests.server.peer import free_port

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 8
KILLS = all_or(24, 100)


class SlowBus(FakeBus):
    """Each byte takes its time, and a transfer that has begun is ended, as an adapter does: even if its caller goes.

    torn: transfers that began while another was under way; block that is written byte by byte."""

    def __init__(self, devices):
        super().__init__(devices)
        self.busy = False
        self.torn = 0
        self.most_s = 0.0

    async def transfer(self, transfer, timeout_ms=1000):
        work = asyncio.ensure_future(self._whole(transfer))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            while not work.done():  # it has ended on the bus when this returns: as Bus promises
                try:
                    await asyncio.shield(work)
                except asyncio.CancelledError:
                    pass
            raise

    async def _whole(self, transfer):
        self.torn += self.busy
        self.busy = True
        answers = []
        for index, message in enumerate(transfer):
            if message.address not in self.devices:
                self.busy = False
                raise no_answer(message.address, index)
            registers = self.devices[message.address]
            if message.reads:
                await asyncio.sleep(0)
                answers.append(self._read(message))
                continue
            at = self.pointers[message.address] = message.data[0]
            for offset, value in enumerate(message.data[1:]):
                registers[at + offset] = value
                await asyncio.sleep(0)
        self.busy = False
        return answers


def crowd(port, register):
    command = [sys.executable, "-m", "tests.remote_i2c.crowd", str(port), str(register)]
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.timeout(600)
def test_clients_that_are_killed_tear_nothing_and_keep_nothing(report_line):
    """Eight clients under load; one is killed again and again, with SIGKILL and in any of its calls."""
    seed = random.SystemRandom().randrange(1 << 30)
    chance = random.Random(seed)
    bus = SlowBus({A: bytearray(256)})
    patient = {"hold_ms": 1000 * PATIENCE_S, "wait_ms": 1000 * PATIENCE_S}
    with open_door(bus, expiry_s=2, log=None, max_of_peer=64, shared=patient) as door:
        processes = [crowd(door.port, number * PAIRS) for number in range(CLIENTS)]
        try:
            for process in processes:
                assert process.stdout.readline().strip().isdecimal()
            for _ in range(KILLS):
                number = chance.randrange(CLIENTS)
                time.sleep(chance.random() * 0.05)
                processes[number].send_signal(signal.SIGKILL)
                _, errors = processes[number].communicate()
                processes[number] = crowd(door.port, number * PAIRS)
                with SMBus(door.url) as other:  # the bus is not kept by the one that has gone
                    assert len(other.read_i2c_block_data(A, 0, 1)) == 1
                assert "torn" not in errors
            for process in processes:
                assert process.stdout.readline().strip().isdecimal()
        finally:
            for process in processes:
                process.kill()
            outputs = [process.communicate() for process in processes]
        assert not [text for text, _ in outputs if "torn" in text]
        assert not [errors for _, errors in outputs if "Error" in errors]
        until(lambda: door.call(lambda: len(door.service.sessions)) == 0, "the end of the sessions")
        registers = bus.devices[A]
        for number in range(CLIENTS):
            assert len(set(registers[number * PAIRS : (number + 1) * PAIRS])) == 1
        assert bus.torn == 0 and not bus.busy
    report_line(f"smbus: {CLIENTS} clients, {KILLS} kills, seed {seed}: no torn transaction")


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
