"""How long a read_byte_data takes by each door, on one computer and over a network: docs/remote-i2c.md, "Latency".

Usage: python3 -m tests.remote_i2c.latency [--delay-ms 1]

Doors and bus are a process of their own. The network is a relay that holds what passes for delay_ms each way; an echo
behind the same relay says what its round trip really is. Python measures SMBus over gRPC, Node.js Web I2C.
"""

import argparse
import asyncio
import json
import shutil
import socket
import statistics
import subprocess
import sys
import time
from contextlib import AsyncExitStack

from remote_i2c.addresses import ORDINARY
from remote_i2c.rpc.door import SmbusDoor
from remote_i2c.shared import SharedBus
from remote_i2c.smbus_client.smbus import SMBus
from tests.remote_i2c.bench_smbus import A, Registers
from tests.remote_i2c.web.doors import base_of, opened_door
from tests.remote_i2c.web.javascript import Node, npm_folder
from tests.remote_i2c.web.relay import Relay

CALLS = 1000
_SCRIPT = """
const device = await (await WebI2C.requestI2CAccess()).ports.get(1).open(0x48, { probe: false });
const times = [];
for (let number = 0; number < %d; number++) {
  const begin = performance.now();
  if (await device.read8(number & 255) !== (number & 255)) throw new Error("a wrong answer");
  times.push(performance.now() - begin);
}
const together = [];
for (let number = 0; number < 50; number++) {
  const begin = performance.now();
  await Promise.all(Array.from({ length: 16 }, (_, index) => device.writeBytes([index, 0])));
  together.push(performance.now() - begin);
}
return [times, together];
"""


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._transport.write(data)


class Device(Registers):
    """Also takes writes."""

    async def transfer(self, transfer, timeout_ms=1000):
        return [] if len(transfer) == 1 else await super().transfer(transfer, timeout_ms)


async def _serve(delay_s):
    """Print the ports of SMBus, Web I2C and the echo: as they are, and behind relays."""
    bus = SharedBus(Device(), ORDINARY)
    async with AsyncExitStack() as stack:
        smbus = SmbusDoor({1: bus}, "127.0.0.1:0")
        await smbus.start()
        web = await stack.enter_async_context(opened_door({"1": bus}))
        echo = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
        ports = [smbus.port, int(base_of(web).rpartition(":")[2]), echo.sockets[0].getsockname()[1]]
        relays = [await stack.enter_async_context(Relay(("127.0.0.1", port), delay_s)) for port in ports]
        print(json.dumps([ports, [relay.port for relay in relays]]), flush=True)
        await smbus.keep()


def _median_ms(call):
    times = []
    for number in range(CALLS):
        begin = time.perf_counter()
        call(number)
        times.append(time.perf_counter() - begin)
    return round(1000 * statistics.median(times), 2)


def _echo_ms(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def call(number):
            connection.sendall(b"x")
            connection.recv(1)

        return _median_ms(call)


def _smbus_ms(port):
    with SMBus(f"grpc://127.0.0.1:{port}/1") as bus:
        return _median_ms(lambda number: bus.read_byte_data(A, number & 0xFF))


def _web_ms(port):
    """Returns the medians of one call, and of 16 writes at once."""
    node = Node(shutil.which("node"), npm_folder())
    times, sixteen = asyncio.run(node.run(_SCRIPT % CALLS, f"ws://127.0.0.1:{port}/i2c"))
    return round(statistics.median(times), 2), round(statistics.median(sixteen), 2)


def measure(delay_ms):
    """Returns {"local" or "network": {"echo_ms", "smbus_ms", "web_ms", "web_16_writes_ms"}}."""
    command = [sys.executable, "-m", "tests.remote_i2c.latency", "--serve", "--delay-ms", str(delay_ms)]
    found = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            for name, (smbus, web, echo) in zip(("local", "network"), json.loads(server.stdout.readline())):
                one, sixteen = _web_ms(web)
                found[name] = {
                    "echo_ms": _echo_ms(echo), "smbus_ms": _smbus_ms(smbus), "web_ms": one, "web_16_writes_ms": sixteen
                }  # fmt: skip
        finally:
            server.kill()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--delay-ms", type=float, default=1.0)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    if options.serve:
        asyncio.run(_serve(options.delay_ms / 1000))
    else:
        for name, figures in measure(options.delay_ms).items():
            print(json.dumps({"where": name, **figures}))


if __name__ == "__main__":
    main()
