"""A little of the fuzzing of SMBus over gRPC, and that its inputs get as far as they are meant to."""

import asyncio
import random

from remote_i2c.rpc.methods import ORIGINAL, SMBUS, methods
from tests.remote_i2c import fuzz


def test_no_message_gets_an_exception_out_of_the_services(report_line):
    seed = random.SystemRandom().randrange(1 << 40)
    asyncio.run(fuzz.run(4000, seed))
    report_line(f"fuzz of SMBus: 4,000 messages from seed {seed}")


def test_messages_reach_each_call_and_each_end():
    _, reached = asyncio.run(fuzz.run(12000, 1))
    for name in (*methods(SMBUS), *methods(ORIGINAL)):
        assert reached.get((name, True)) or name.lower() == "close", name
        assert reached.get((name, False)), name
