"""Eight clients on one bus, with SIGKILL in their calls: no transaction is torn, and nobody keeps the bus.

Usage: python3 -m tests.remote_i2c.kill_run [--seconds 60] [--seed N]

The limits are those that a user has. One of the clients hangs again and again: its device never answers, so that it has
the bus for all of hold_ms, if it is not killed before. `make test-cases` runs this for 60 s.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from remote_i2c.errors import no_answer
from remote_i2c.shared import HOLD_MS
from remote_i2c.smbus_client.smbus import SMBus
from tests.patience import PATIENCE_S, until
from tests.remote_i2c.crowd import HANGING, PAIRS
from tests.remote_i2c.doors import A, open_door
from tests.remote_i2c.fake_bus import FakeBus

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 8
LOOK_S = 0.01
STALL_S = 0.03  # a loop that is so late stands still
END_S = 0.1  # from the end of a call's time to that of the hold: turns of a loop that has other callers to serve
MAY_MS = HOLD_MS + 1000 * END_S
# What a caller may be told: others have had the bus, or it has had it itself, for too long.
NAMED = {"ETIMEDOUT lock", "ETIMEDOUT bus"}


class SlowBus(FakeBus):
    """Each byte takes its time, and a transfer that has begun is ended, as an adapter does: even if its caller goes.
    But a device at HANGING holds a wire until the adapter gives up.

    torn: transfers that began while another was under way."""

    def __init__(self, devices):
        super().__init__(devices)
        self.busy = False
        self.torn = 0

    async def transfer(self, transfer, timeout_ms=1000):
        if transfer[0].address == HANGING:
            await asyncio.Event().wait()
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


class Client:
    """A process of crowd.py. done: batches; failed: Counter of what was told; said: other lines."""

    def __init__(self, port, number):
        command = [sys.executable, "-m", "tests.remote_i2c.crowd", str(port), str(number * PAIRS)]
        environment = dict(os.environ, PYTHONPATH=str(ROOT))
        self._process = subprocess.Popen(
            command + (["hangs"] if number == 0 else []), env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.done, self.failed, self.said = 0, Counter(), []
        self._readers = [threading.Thread(target=one, daemon=True) for one in (self._read, self._read_errors)]
        for reader in self._readers:
            reader.start()

    @property
    def works(self):
        """Whether it has made a call."""
        return self.done > 0 or bool(self.failed)

    def _read(self):
        for line in self._process.stdout:
            if line.startswith("failed "):
                self.failed[line.removeprefix("failed ").strip()] += 1
            elif line.strip().isdecimal():
                self.done += 1
            else:
                self.said.append(line)

    def _read_errors(self):
        self.said += self._process.stderr

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        for reader in self._readers:
            reader.join(PATIENCE_S)


class Holds:
    """How long callers have had the bus. longest_s: without the time for which the door's loop stood still, because the
    machine has other work: no limit is kept then."""

    def __init__(self, door):
        self.longest_s = 0.0
        self._lost_s = 0.0  # so far
        self._looked_s = 0.0
        self._now_s = door.loop.time
        shared = door.shared
        self._turn, self._give_back = shared._turn, shared._give_back
        shared._turn, shared._give_back = self._begin, self._end
        asyncio.run_coroutine_threadsafe(self._look(), door.loop)

    async def _look(self):
        while True:
            self._looked_s = self._now_s()
            await asyncio.sleep(LOOK_S)
            self._lost_s = self._lost()

    def _lost(self):
        """Returns how long the loop stood still, in all and now."""
        late_s = self._now_s() - self._looked_s - LOOK_S
        return self._lost_s + (late_s if late_s > STALL_S else 0.0)

    async def _begin(self, wait_ms):
        held = await self._turn(wait_ms)
        held.lost_s = self._lost()
        return held

    def _end(self, held):
        had_s = self._now_s() - held.since_s - (self._lost() - held.lost_s)
        self.longest_s = max(self.longest_s, had_s)
        self._give_back(held)


def run(seconds, chance):
    """Returns figures. Raises: AssertionError: what must not be."""
    bus = SlowBus({A: bytearray(256)})
    killed = []
    with open_door(bus, log=None, max_of_peer=CLIENTS * 8) as door:  # sessions of who was killed stay for a while
        holds = Holds(door)
        clients = [Client(door.port, number) for number in range(CLIENTS)]
        try:
            until(lambda: all(client.works for client in clients), "the first call of each client")
            end_s = time.monotonic() + seconds
            while time.monotonic() < end_s:
                time.sleep(chance.random() * 0.5)
                number = chance.randrange(CLIENTS)
                if clients[number].works:
                    clients[number].kill()
                    killed.append(clients[number])
                    clients[number] = Client(door.port, number)
            until(lambda: all(client.works for client in clients), "a call of each client after the last kill")
            until(lambda: any(one.failed["ETIMEDOUT bus"] for one in killed + clients), "a hold that has its limit")
        finally:
            for client in clients:
                client.kill()
        everybody = killed + clients
        failed = sum((client.failed for client in everybody), Counter())
        assert not [client.said for client in everybody if client.said]
        assert set(failed) <= NAMED, failed
        with SMBus(door.url) as other:  # the bus is nobody's when all have gone
            other.read_byte_data(A, 0)
        until(lambda: door.call(lambda: len(door.service.sessions)) == 0, "the end of the sessions")
        assert bus.torn == 0 and not bus.busy
        # A caller that was cut in a batch may have left a block that is half written, but no transaction.
        for number in range(CLIENTS):
            assert len(set(bus.devices[A][number * PAIRS : (number + 1) * PAIRS])) == 1
        return {
            "seconds": seconds, "clients": CLIENTS, "kills": len(killed), "batches": sum(one.done for one in everybody),
            "failed": dict(failed), "hold_ms": HOLD_MS, "longest_hold_ms": round(1000 * holds.longest_s),
            "longest_with_stalls_ms": round(1000 * door.shared.longest_hold_s),
        }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    options = parser.parse_args()
    print(f"seed {options.seed}", file=sys.stderr)
    figures = run(options.seconds, random.Random(options.seed))
    print(json.dumps(figures))
    return 0 if figures["longest_hold_ms"] <= MAY_MS else 1


if __name__ == "__main__":
    sys.exit(main())
