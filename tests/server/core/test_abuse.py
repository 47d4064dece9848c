"""Peers that mean no good, over real sockets, while a client goes about its business: it loses nothing and goes on.

The server is a process of its own where its memory is looked at. SYNs without more are the system's business.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

import server.core.transport
from protocol.framing import KEEPALIVE, PREAMBLE
from protocol.handshake import Initiator
from protocol.limits import SEND_LINES
from server import client_conn
from server.core.listener import HELLO_MS, MAX_SILENT
from server.core.transport import UNPROVEN_BYTES
from tests.patience import PATIENCE_S
from tests.server.bench_program import KEY, names
from tests.server.peer import OTHER_KEY, TIMEOUT_MS, Client, Service, free_port, open_stream, until, within

ROOT = Path(__file__).resolve().parents[3]
ID = names(1)[0]
LONGEST_S = PATIENCE_S  # that a line may take while somebody makes trouble: a hang, on any machine
MEMORY_KIB = 24 * 1024  # growth: MAX_SILENT and MAX_GREETED connections of 50 KiB, and as much again


class Process:
    """The durable server that `make bench-server` has, with one client that has a key."""

    def __init__(self):
        self.port = free_port()
        program = ROOT / "tests/server/bench_program.py"
        command = [sys.executable, program, self.port, 1, TIMEOUT_MS, "durable", "lines"]
        self._process = subprocess.Popen(
            [str(word) for word in command], env={"PYTHONPATH": str(ROOT)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.kill()
        self.rest = self._process.communicate()[0]

    @property
    def memory_kib(self):
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    @property
    def files(self):
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def has_read(self, count):
        """Returns when its application has read so many lines."""
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        while not self._process.stdout.readline().startswith(f"reading {count}"):
            pass


class Business:
    """One line after the other, each acknowledged."""

    def __init__(self, port):
        self.client = Client(port, ID, bytes.fromhex(KEY))
        self.count = 0
        self.longest_s = 0.0

    async def go_on(self, until):
        while not until.done():
            begin = time.perf_counter()
            await self.client.write(f"line {self.count}")
            await within(self.client.acknowledged())
            self.longest_s = max(self.longest_s, time.perf_counter() - begin)
            self.count += 1
            await asyncio.sleep(0.01)


def survives(trouble, seconds=3.0):
    """Serve a client while `trouble(port, deadline)` is made."""

    async def main(process):
        business = Business(process.port)
        await within(business.client.connect())
        before = process.memory_kib
        making = asyncio.create_task(trouble(process.port, time.monotonic() + seconds))
        await business.go_on(making)
        grown = process.memory_kib - before
        result = await making
        assert business.client.up and business.client.session.resumes == 1
        await comes_in(process.port)  # and new ones are let in
        business.client.cut()
        await within(asyncio.to_thread(process.has_read, business.count))
        assert business.longest_s < LONGEST_S and grown < MEMORY_KIB, (business.longest_s, grown)
        await until(lambda: process.files < 40, "the end of what was left open")
        return result

    with Process() as process:
        result = asyncio.run(main(process))
    assert "Traceback" not in process.rest and "line 0" not in process.rest
    return result


async def comes_in(port):
    """A client connects, as a bridge does: it may be told to come again."""
    for _ in range(240):
        client = Client(port, ID, bytes.fromhex(KEY))
        with contextlib.suppress(AssertionError):
            await within(client.connect())
            client.cut()
            return
        await asyncio.sleep(0.25)
    raise AssertionError(f"the client is kept out: {client.fault}")


HELLO = (lambda frame: PREAMBLE + len(frame).to_bytes(2, "big") + frame)(
    Initiator(ID, bytes.fromhex(KEY), bytes(8), bytes(16)).hello()
)  # which anybody can repeat who has heard it


def test_bytes_one_at_a_time_do_not_buy_time():
    async def drip(port, lived_s):
        reader, writer = await open_stream(port)
        begin = time.monotonic()
        with contextlib.suppress(OSError, TimeoutError):
            for byte in HELLO[:-1] * 100:
                writer.write(bytes((byte,)))
                await writer.drain()
                async with asyncio.timeout(0.1):
                    if not await reader.read(100):
                        break
        while not reader.at_eof():
            try:
                async with asyncio.timeout(0.1):
                    await reader.read(100)
                writer.write(HELLO[:1])
            except TimeoutError:
                writer.write(HELLO[5:6])
            except OSError:
                break
        lived_s.append(time.monotonic() - begin)
        writer.close()

    async def trouble(port, deadline):
        lived_s = []
        await asyncio.gather(*(drip(port, lived_s) for _ in range(MAX_SILENT // 2)))
        return lived_s

    lived_s = survives(trouble)
    assert len(lived_s) == MAX_SILENT // 2 and max(lived_s) < HELLO_MS / 1000 + LONGEST_S


def test_flood_of_connections_that_come_and_go():
    async def trouble(port, deadline):
        count = 0
        while time.monotonic() < deadline or count <= 300:
            some = await asyncio.gather(*(open_stream(port) for _ in range(30)), return_exceptions=True)
            for one in some:
                if isinstance(one, tuple):
                    count += 1
                    one[1].transport.abort()
        return count

    assert survives(trouble) > 300


@pytest.mark.parametrize("said", [b"", PREAMBLE, HELLO], ids=["nothing", "preamble", "hello"])
def test_flood_of_connections_that_stay_and_say_no_more(said):
    async def trouble(port, deadline):
        held = []
        while len(held) < 4 * MAX_SILENT:
            reader, writer = await open_stream(port)
            writer.write(said)
            held.append(writer)
            await asyncio.sleep(0)
        await asyncio.sleep(max(0.0, deadline - time.monotonic()))
        for writer in held:
            writer.transport.abort()
        return len(held)

    assert survives(trouble) == 4 * MAX_SILENT


@pytest.mark.parametrize("said", [b"", HELLO], ids=["nothing", "hello"])
def test_flood_from_one_address_keeps_no_client_from_another_out(said):
    async def flood(port):
        held = []
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
                writer.write(said)
                held.append(writer)
                if len(held) > 3 * MAX_SILENT:
                    held.pop(0).transport.abort()
            await asyncio.sleep(0.002)

    async def main(process):
        (await open_stream(process.port))[1].close()
        floods = [asyncio.create_task(flood(process.port)) for _ in range(2)]
        await asyncio.sleep(2)
        for _ in range(20):
            client = Client(process.port, ID, bytes.fromhex(KEY))
            await within(client.connect())  # at the first attempt
            await client.write("line")  # else the server makes it wait, as one that connects in vain again and again
            await within(client.acknowledged())
            client.cut()
        for one in floods:
            assert not one.done()
            one.cancel()

    with Process() as process:
        asyncio.run(main(process))


def test_unproven_peer_that_only_writes_is_cut_off_after_a_few_bytes():
    async def pour(port, data):
        reader, writer = await open_stream(port)
        reader._transport.pause_reading()
        count = 0
        with contextlib.suppress(OSError):
            while count < 1 << 24 and not writer.is_closing():
                writer.write(data)
                await writer.drain()
                count += len(data)
                await asyncio.sleep(0)
        writer.transport.abort()
        return count

    async def trouble(port, deadline):
        return await asyncio.gather(*(pour(port, HELLO + KEEPALIVE * 4096) for _ in range(50)))

    assert max(survives(trouble)) < 1 << 24


def test_bytes_without_a_proof_are_counted(capsys):
    async def main():
        async with Service() as service:
            reader, writer = await open_stream(service.port)
            writer.write(PREAMBLE + KEEPALIVE * (UNPROVEN_BYTES // 2 + 1))
            with contextlib.suppress(ConnectionError):
                await within(reader.read(-1))
            await service.refusals(1)

    asyncio.run(main())
    assert f"more than {UNPROVEN_BYTES} bytes without a proof" in capsys.readouterr().out


def test_proven_client_that_never_reads_harms_itself_alone(monkeypatch):
    monkeypatch.setattr(server.core.transport, "STALL_MS", 1500)

    async def main():
        async with Service() as service:
            deaf, other = Client(service.port), Client(service.port, "b", OTHER_KEY)
            await within(deaf.connect())
            await within(other.connect())
            conn, good = await within(client_conn("a")), await within(client_conn("b"))
            transport = conn._carrier.transport
            # Reads nothing, while its keepalives and lines go on.
            deaf._task.cancel()
            deaf._half_open.append(deaf._writer)
            deaf._writer.transport.pause_reading()
            writing = asyncio.create_task(write_for_ever(conn))
            for number in range(6000):
                if transport.closed:
                    break
                if not transport._unsent():  # more than a session would ever have on its way
                    transport.put(KEEPALIVE * 65536)
                deaf._writer.write(KEEPALIVE)
                await within(good.write(f"{number}"))
                await asyncio.sleep(0.01)
            assert transport.closed and "has taken nothing" in str(transport.fault)
            assert other.up and other.session.resumes == 1 and other.lines == [f"{i}\n" for i in range(number)]
            assert not writing.done() and conn._session.number - conn._session.base <= SEND_LINES
            writing.cancel()
            again = Client(service.port)
            await within(again.connect())
            await within(again.expect(64))
            assert again.lines[:64] == [f"{i:04d}\n" for i in range(64)]

    asyncio.run(main())


async def write_for_ever(conn):
    for number in range(1 << 20):
        await conn.write(f"{number:04d}", wait=False)
