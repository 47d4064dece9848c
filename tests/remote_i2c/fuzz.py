"""Messages that nobody means, into both services of SMBus over gRPC: a part of `make fuzz-server`.

Usage: python3 -m tests.remote_i2c.fuzz [--inputs 200000] [--seed N]

Inputs are good messages with changed fields, and bytes with changes, as they come from the network once gRPC has taken
them. Each call must end with an answer or a status; any other exception ends the run, with the seed. No input reaches
an address that is not allowed, and memory and sessions stay bounded.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import time

from google.protobuf.message import DecodeError

from remote_i2c.rpc.log_lines import line_of
from remote_i2c.rpc.methods import ORIGINAL, SMBUS, methods
from remote_i2c.rpc.original import original_rows
from remote_i2c.rpc.service import Buses
from remote_i2c.rpc.sessions import MAX_SESSIONS, Sessions
from remote_i2c.rpc.smbus_service import smbus_rows
from remote_i2c.shared import SharedBus
from tests.remote_i2c.fake_bus import FakeBus

ALLOWED = frozenset((0x48, 0x49))  # 0x49 has no device
GROWTH_KIB = 40000  # from a tenth of the run on
CHANGED = ("", "0", "1", "mast", "\0", "é" * 40)
NUMBERS = (0, 1, 2, 32, 33, 0x48, 0x49, 0x50, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000, 0x7FFFFFFF)


class Context:
    """A call's, as far as the services look. session: of its metadata."""

    def __init__(self, session, peer):
        self.code = None
        self._metadata = (("client_id", session),)
        self._peer = peer

    def peer(self):
        return self._peer

    def invocation_metadata(self):
        return self._metadata

    def set_trailing_metadata(self, metadata):
        for key, value in metadata:
            if not (key.isascii() and value.isascii() and value.isprintable()):
                raise AssertionError(f"gRPC cannot send {key}: {value!r}")

    def set_code(self, code):
        self.code = code

    def set_details(self, text):
        text.encode()


def _logged(event, **details):
    """As both logs have it: lines of text, and JSON."""
    line_of(event, **details).encode()
    json.dumps(details)


class Fuzz:
    """Both services, on a bus in RAM. reached: {what ended how: count}."""

    def __init__(self):
        self.bus = FakeBus({0x48: bytearray(range(256)), 0x50: bytearray(256)})
        self.bus.log = self
        self.sessions = Sessions(expiry_s=0.05)
        self.buses = Buses({1: SharedBus(self.bus, ALLOWED)}, self.sessions, _logged)
        self.rows = [
            (methods(SMBUS), smbus_rows(self.buses)),
            (methods(ORIGINAL), original_rows(self.buses)),
        ]
        self.reached = {}

    def append(self, entry):
        """A transfer has reached the bus."""
        if any(message.address not in ALLOWED for message in entry[1]):
            raise AssertionError(f"not allowed: {entry}")

    async def one(self, chance):
        self.chance = chance
        table, rows = chance.choice(self.rows)
        name = chance.choice(list(rows))
        session = chance.choice([*list(self.sessions._sessions)[-3:], "", "unknown"])
        if chance.random() < 0.1:
            self.buses.expire()
        request = self.message(table[name].request(), session)
        data = request.SerializeToString()
        if chance.random() < 0.3:
            data = self.changed(data)
            try:
                request = table[name].request.FromString(data)
            except DecodeError:  # gRPC answers it
                return
        context = Context(session, f"ipv4:192.0.2.{chance.randrange(9)}:1")
        reply = await rows[name](request, context)
        reply.SerializeToString()
        failed = context.code is not None or bool(getattr(getattr(reply, "status", reply), "code", 0))
        self.reached[name, failed] = self.reached.get((name, failed), 0) + 1
        if len(self.sessions) > MAX_SESSIONS:
            raise AssertionError(f"{len(self.sessions)} sessions")

    def message(self, message, session, depth=0):
        """Fill a message, mostly so that it can be done."""
        for field in message.DESCRIPTOR.fields:
            if field.message_type is not None and field.is_repeated:
                for _ in range(self.chance.choice((0, 1, 1, 2, 3))):
                    self.message(getattr(message, field.name).add(), "", depth + 1)
            elif field.message_type is not None:
                self.message(getattr(message, field.name), "", depth + 1)
            else:
                setattr(message, field.name, self.value(field, session))
        return message

    def value(self, field, session):
        chance = self.chance
        if field.name == "session":
            return session
        if field.name == "bus" or field.name == "i2c_bus":
            return chance.choice(("1", "1", *CHANGED)) if field.name == "bus" else chance.choice((1, 1, 0, -1))
        if field.name == "call":
            return chance.choice(("Transfer", "ReadByte", "WriteBlockData", "WriteQuick", *CHANGED))
        if field.type == field.TYPE_BYTES:
            return chance.randbytes(chance.choice((0, 1, 2, 31, 32, 33, 100)))
        if field.type == field.TYPE_STRING:
            return chance.choice(CHANGED)
        if field.type == field.TYPE_BOOL:
            return chance.random() < 0.3
        if "addr" in field.name and chance.random() < 0.7:
            return 0x48
        number = chance.choice(NUMBERS) if chance.random() < 0.5 else chance.randrange(40)
        return -number if field.type == field.TYPE_INT32 and chance.random() < 0.1 else number

    def changed(self, data):
        data = bytearray(data)
        for _ in range(self.chance.choice((1, 1, 2, 5))):
            at = self.chance.randrange(len(data) + 1)
            if self.chance.random() < 0.6 and at < len(data):
                data[at] = self.chance.randrange(256)
            elif self.chance.random() < 0.5:
                del data[at : at + 2]
            else:
                data[at:at] = self.chance.randbytes(3)
        return bytes(data)


async def run(inputs, seed, show=None):
    """Returns (growth of memory in KiB, what was reached). Raises: what got through."""
    begin_kib, fuzz = None, Fuzz()
    for number in range(inputs):
        try:
            await fuzz.one(random.Random(seed + number))
        except Exception:
            print(f"fuzz: an exception at input {number} of --seed {seed}", file=sys.stderr)
            raise
        if number == inputs // 10:
            begin_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if show is not None and number % 10000 == 0:
            show(number)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begin_kib, fuzz.reached


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=200000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(5), "big"))
    options = parser.parse_args()
    begin = time.monotonic()
    print(f"seed {options.seed}", file=sys.stderr)
    grown, _ = asyncio.run(run(options.inputs, options.seed, lambda n: print(f"\r{n} ", end="", file=sys.stderr)))
    print(json.dumps({"inputs": options.inputs, "grown_kib": grown, "seconds": round(time.monotonic() - begin, 1)}))
    return 1 if grown > GROWTH_KIB else 0


if __name__ == "__main__":
    sys.exit(main())
