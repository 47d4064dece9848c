"""Requests that no good server makes, into the client's I2CService: a part of `make fuzz-client`.

Usage: python3 -m tests.pb_link.fuzz_i2c [--inputs 200000] [--seed N]

Inputs are good requests with changes, to a bus in software, one in hardware and one of sensors, whose devices fail now
and then. An exception of the handler ends the run, with its seed. So does an address on the wires that the client does
not allow, a transfer longer than it may be, an answer that is too long, or that the server's half cannot read when the
request was good.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time
from errno import EAGAIN, EIO, ENODEV, ETIMEDOUT

from pb_link.i2c_service import I2CService
from protocol.i2c_messages import LIFE_BYTES, MAX_I2C_BYTES, MAX_TRANSFER_BYTES, OTHER_LIFE, UNKNOWN
from remote_i2c.client_messages import OtherLife, answer_bytes, decode_answer, encode_request, request_bytes
from remote_i2c.errors import BusError
from remote_i2c.messages import read, read_counted, write
from tests.pb_link.test_i2c_service import OTHER, A, B, FakeApp, FakeI2C, FakeSensorBus

SOFTWARE, HARDWARE, SENSORS, NONE = 0, 1, 2, 3
ALLOWED = (A, 0x51)  # nobody is at 0x51
_FAILURES = (OSError(EIO, ""), OSError(ENODEV, ""), OSError(ETIMEDOUT, ""), MemoryError(), ValueError("of a driver"))


class FoundError(AssertionError):
    """What no request may get the client to do."""


class HardwareI2C(FakeI2C):
    """machine.I2C: it has no primitives."""

    def start(self):
        raise OSError("I2C operation not supported")


class Fuzz:
    """One client and its buses. reached: {what an answer was: count}."""

    def __init__(self, chance):
        self.random = chance
        self.reached = {}
        self._app = FakeApp()
        self._buses = {SOFTWARE: FakeI2C(), HARDWARE: HardwareI2C(), SENSORS: FakeI2C()}
        self._sensor_bus = FakeSensorBus(self._buses[SENSORS])
        buses = dict(self._buses) | {SENSORS: self._sensor_bus}
        I2CService(self._app, buses, addresses=dict.fromkeys(buses, ALLOWED))
        self._life = asyncio.run(self._app.handler(encode_request(0, bytes(LIFE_BYTES), [[read(A, 1)]])))[1:]

    async def one(self):
        """Make a request. Raises: FoundError, and what the handler raises."""
        chance = self.random
        number = chance.choice((SOFTWARE, SOFTWARE, HARDWARE, SENSORS, NONE))
        transfers = self._transfers()
        life = self._life if chance.random() < 0.95 else chance.randbytes(LIFE_BYTES)
        data = good = encode_request(number, life, transfers)
        if chance.random() < 0.6:
            data = self._changed(good)
        elif chance.random() < 0.1:  # longer than a good server's
            long = [write(A, chance.randbytes(chance.randrange(1, 250))), read(A, chance.randrange(200, 400))]
            data = encode_request(number, life, [long])
        self._disturb()
        for i2c in self._buses.values():
            i2c.log.clear()
            i2c.addressed.clear()
        answer = await self._app.handler(data)
        self._look_at_the_wires()
        self._look_at(answer, transfers if data == good else None)

    def _transfers(self):
        """Returns transfers that fit into a request, as a good server makes them."""
        transfers, asked, answered = [], 6, 0
        for _ in range(self.random.choice((1, 1, 2, 5, 40))):
            transfer = self._transfer()
            asked, answered = asked + request_bytes(transfer), answered + answer_bytes(transfer)
            if transfers and (asked > MAX_I2C_BYTES or answered > MAX_I2C_BYTES):
                break
            transfers.append(transfer)
        return transfers

    def _transfer(self):
        chance = self.random
        address = chance.choice((A, A, A, A, A, 0x51, B, OTHER))
        if chance.random() < 0.1:
            return address, chance.random() < 0.5
        messages = []
        for _ in range(chance.choice((1, 2, 2, 3))):
            kind = chance.randrange(3)
            if kind == 0:
                messages.append(write(address, chance.randbytes(chance.choice((0, 1, 2, 20)))))
            elif kind == 1:
                messages.append(read(address, chance.choice((0, 1, 2, 20))))
            else:
                messages.append(read_counted(address, chance.randrange(2)))
        return messages

    def _changed(self, data):
        data = bytearray(data)
        for _ in range(self.random.choice((1, 1, 2, 5))):
            at = self.random.randrange(len(data) + 1)
            what = self.random.randrange(4)
            if what == 0:
                data[at:at] = self.random.randbytes(self.random.choice((1, 3, 400)))
            elif what == 1:
                del data[at : at + self.random.randrange(1, 9)]
            elif at < len(data):
                data[at] = self.random.choice((0, 1, 0x7F, 0x80, 0xFF, self.random.randrange(256)))
        return bytes(data)

    def _disturb(self):
        """What boards and sensor buses do."""
        chance = self.random
        for i2c in self._buses.values():
            i2c.fails = chance.choice(_FAILURES) if chance.random() < 0.1 else None
            i2c.takes = chance.choice((1000, 1000, 1000, 0, 1))
        bus = self._sensor_bus
        bus.fails = OSError(chance.choice((EIO, ETIMEDOUT, EAGAIN)), "") if chance.random() < 0.1 else None
        bus.spoils = OSError(chance.choice((EIO, ETIMEDOUT)), "") if chance.random() < 0.1 else None
        bus.barred = (A,) if chance.random() < 0.1 else ()

    def _look_at_the_wires(self):
        for i2c in self._buses.values():
            if not set(i2c.addressed) <= set(ALLOWED):
                raise FoundError(f"not allowed: {i2c.addressed}")
            size = 0
            for what in i2c.log:  # as FakeI2C notes it: bytes that were written, how many were read, "P" at the end
                if what == "P":
                    size = 0
                elif isinstance(what, bytes):
                    size += len(what)
                elif isinstance(what, tuple):
                    size += what[0]
                if size > MAX_TRANSFER_BYTES:
                    raise FoundError(f"a transfer of {size} bytes")

    def _look_at(self, answer, transfers):
        """transfers: of the request, if it is as a good server has made it."""
        if not isinstance(answer, bytes) or not 2 <= len(answer) <= MAX_I2C_BYTES and answer != b"\0":
            raise FoundError(f"an answer of {answer!r}")
        if transfers is None:
            self._count("changed", answer[0])
        elif len(answer) == 2 and answer[1] == UNKNOWN or answer[0] == OTHER_LIFE:
            self._count("refused", answer[0])
        else:
            self._read(answer, transfers)

    def _read(self, answer, transfers):
        try:
            found, error = decode_answer(answer, transfers)
        except (OtherLife, BusError) as damage:
            raise FoundError(f"the server cannot read {answer!r} to {transfers}: {damage!r}")
        if error is None and len(found) != len(transfers):
            raise FoundError(f"{len(found)} answers to {len(transfers)} transfers")
        self._count("done" if error is None else "failed", 0 if error is None else error.errno)

    def _count(self, what, code):
        self.reached[what, code] = self.reached.get((what, code), 0) + 1


def run(inputs, seed, show=None):
    """Returns what was reached. Raises: what got through."""
    reached = {}
    for number in range(0, inputs, 100):
        fuzz = Fuzz(random.Random(seed + number))

        async def some(fuzz=fuzz):
            for _ in range(100):
                await fuzz.one()

        try:
            asyncio.run(some())
        except BaseException:
            print(f"fuzz: an exception with --seed {seed + number} --inputs 100", file=sys.stderr)
            raise
        for what, count in fuzz.reached.items():
            reached[what] = reached.get(what, 0) + count
        if show is not None and number % 10000 == 0:
            show(number)
    return reached


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=200000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(5), "big"))
    options = parser.parse_args()
    begin = time.monotonic()
    print(f"seed {options.seed}", file=sys.stderr)
    reached = run(options.inputs, options.seed, lambda n: print(f"\r{n} ", end="", file=sys.stderr))
    by_end = {}
    for (what, _), count in reached.items():
        by_end[what] = by_end.get(what, 0) + count
    print(json.dumps({"inputs": options.inputs, "seconds": round(time.monotonic() - begin, 1), **by_end}))


if __name__ == "__main__":
    main()
