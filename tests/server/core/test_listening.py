"""Where the server listens, what it says if it cannot, and the limit of open files."""

import asyncio
import errno
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import server
from server.core import listening
from server.core.listening import ACCEPT_PERIOD_MS, AcceptFailures, ListenError, hosts
from server.service.metrics import listen
from tests.patience import PATIENCE_S
from tests.server.peer import HOST, KEYS, Client, Service, free_port, open_stream, within
from tests.server.service.test_cli import ROOT

IPV6 = socket.has_ipv6 and os.path.exists("/proc/net/if_inet6") and Path("/proc/net/if_inet6").read_text()


async def lets_in(host, port):
    """Can a TCP connection be made?"""
    try:
        (await asyncio.open_connection(host, port))[1].close()
    except OSError:
        return False
    return True


async def running(host, port):
    """Start a server on this host. Returns its task."""
    task = asyncio.create_task(server.Server().run({"a"}, port=port, keys=KEYS, host=host, store=server.MemoryStore()))
    for _ in range(6000):
        await asyncio.sleep(0.01)
        if task.done() or await lets_in("::1" if ":" in host else HOST, port):
            break
    return task


@pytest.mark.skipif(not IPV6, reason="this machine has no IPv6")
@pytest.mark.parametrize(("host", "both"), [("::", True), ("[::]", True), ("[::1]", False), ("::1", False)])
def test_host_of_all_addresses_takes_ipv4_too_and_brackets_are_taken(host, both):
    async def main():
        port = free_port()
        task = await running(host, port)
        try:
            assert (await lets_in("::1", port), await lets_in(HOST, port)) == (True, both)
        finally:
            task.cancel()
        port = free_port()
        serving = await listen(lambda reader, writer: writer.close(), f"{host}:{port}")
        assert (await lets_in("::1", port), await lets_in(HOST, port)) == (True, both)
        serving.close()

    asyncio.run(main())


@pytest.mark.parametrize("host", ["256.1.1.1", "[::1", "192.0.2.1", "a" * 70, "a..b", "no such host"])
def test_address_that_cannot_be_had_is_an_error_that_names_the_setting(host):
    async def main():
        says = r"^host = '.*' is no address of this machine \(.+\): take one that"
        with pytest.raises(ListenError, match=says) as found:
            await within(server.Server().run({"a"}, port=free_port(), keys=KEYS, host=host, store=server.MemoryStore()))
        assert found.value.__context__ is None
        with pytest.raises(ListenError, match=r"^metrics = '.*:9123' is no address of this machine"):
            await within(listen(print, host + ":9123"))

    asyncio.run(main())


def test_port_in_use_is_an_error_that_names_the_setting_and_the_remedy():
    async def main():
        async with Service() as service:
            await open_stream(service.port)
            with pytest.raises(ListenError, match=rf"^port = {service.port} \(host = '127.0.0.1'\) is in use") as found:
                await within(
                    server.Server().run({"a"}, port=service.port, keys=KEYS, host=HOST, store=server.MemoryStore())
                )
            assert found.value.errno == errno.EADDRINUSE

    asyncio.run(main())


def test_port_of_the_system_is_named_with_the_remedy():
    error = listening.listen_error(PermissionError(errno.EACCES, "Permission denied"), HOST, 80)
    assert str(error).startswith("port = 80 (host = '127.0.0.1') is not for this user (Permission denied): choose")


def test_other_hosts_are_taken_as_they_are():
    assert [hosts(one) for one in ("", "pump.example", "0.0.0.0", "[fe80::1%eth0]")] == [
        "", "pump.example", "0.0.0.0", "fe80::1%eth0"
    ]  # fmt: skip


def test_failed_accepts_are_one_event_in_ten_seconds(monkeypatch):
    now = [0]
    monkeypatch.setattr("primitives.timeout.ticks_ms", lambda: now[0])
    told = []

    async def main():
        failures = AcceptFailures(lambda event, **details: told.append((event, details)))
        failures.begin()
        loop = asyncio.get_running_loop()
        for _ in range(200):
            for _ in range(64):
                error = OSError(errno.EMFILE, "Too many open files")
                context = {"message": "socket.accept() out of system resource", "exception": error}
                loop.call_exception_handler(context)
            now[0] += 100
        failures.end()
        assert loop.get_exception_handler() is None

    asyncio.run(main())
    assert [event for event, _ in told] == ["accept_failed"] * 2
    assert told[0][1] == {"error": "Too many open files", "failures": 1} and told[1][1]["failures"] == 6400


def test_other_errors_of_the_loop_go_where_they_went_before():
    found = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: found.append(context["message"]))
        failures = AcceptFailures(print)
        failures.begin()
        loop.call_exception_handler({"message": "Task exception was never retrieved", "exception": OSError()})
        later = AcceptFailures(print)
        later.begin()
        failures.end()
        loop.call_exception_handler({"message": "another", "exception": ValueError("in accept")})
        later.end()

    asyncio.run(main())
    assert found == ["Task exception was never retrieved", "another"]


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is set with prlimit")
def test_limit_of_open_files_does_not_fill_the_log_and_serves_those_who_are_there():
    async def flood(process, port):
        client = Client(port, "a", KEYS["a"])
        await open_stream(port)
        await within(client.connect())
        now = len(os.listdir(f"/proc/{process.pid}/fd"))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (now + 5, now + 5))
        held = [await open_stream(port) for _ in range(40)]
        for number in range(3):
            await asyncio.sleep(0.7)  # asyncio accepts again after a second
            await client.write(f"line {number}")
        await within(client.acknowledged())
        for _, writer in held:
            writer.close()
        await asyncio.sleep(2)
        await within(Client(port, "b", KEYS["b"]).connect())
        client.cut()

    port = free_port()
    code = (
        "import asyncio, server; from tests.server.peer import KEYS\n"
        f"asyncio.run(server.run({{'a'}}, port={port}, keys=KEYS, host='127.0.0.1', store=server.MemoryStore()))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        begun = time.monotonic()
        asyncio.run(flood(process, port))
        periods = 1 + int((time.monotonic() - begun) * 1000 / ACCEPT_PERIOD_MS)  # one, on a machine that is not busy
        process.terminate()
        text = process.communicate(timeout=PATIENCE_S)[0]
    finally:
        process.kill()
        process.wait()
    assert 1 <= text.count("no connection can be accepted: Too many open files") <= periods, text
    assert "Traceback" not in text and len(text) < 3000 * periods, text
