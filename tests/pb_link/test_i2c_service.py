"""The client's half of remote I2C: what a request does on the bus, what it may not do, and what garbage does."""

import asyncio
import random
import unittest
from errno import EAGAIN, EIO, ENODEV, ETIMEDOUT

from pb_link.i2c_service import I2CService
from protocol.i2c_messages import (
    BAD_REQUEST,
    BARRED,
    BUSY,
    CANNOT,
    DONE,
    HELD,
    LATE,
    MAX_I2C_BYTES,
    MAX_TRANSFER_BYTES,
    NO_ANSWER,
    NO_BUS,
    NO_MEMORY,
    NOT_ALLOWED,
    OTHER_LIFE,
    STOPPED,
    UNKNOWN,
)  # fmt: skip

A, B, OTHER = 0x48, 0x49, 0x50
W, R = A << 1, A << 1 | 1


class FakeI2C:
    """machine.SoftI2C with a device of 256 registers at A and at B.

    `log` has what was on the wires: "S" start, "P" stop, the address with its bit, and the bytes; `addressed` the
    addresses. fails: an exception of each transfer; takes: bytes that a device acknowledges of each write."""

    def __init__(self):
        self.log = []
        self.addressed = []
        self.registers = {A: bytearray(range(256)), B: bytearray(256)}
        self.pointer = 0
        self.fails = None
        self.takes = 1000
        self._address = None

    def writeto(self, address, data, stop=True):
        self._begin(address << 1)
        taken = bytes(data)[: self.takes]
        self.log.append(taken)
        if taken:
            self.pointer = taken[0]
            self.registers[address][self.pointer : self.pointer + len(taken) - 1] = taken[1:]
        if stop:
            self.log.append("P")
        return len(taken)

    def readfrom_into(self, address, buf, stop=True):
        self._begin(address << 1 | 1)
        for index in range(len(buf)):
            buf[index] = self.registers[address][self.pointer + index & 0xFF]
        self.log.append(len(buf))
        if stop:
            self.log.append("P")

    def _begin(self, address):
        if self.fails is not None:
            raise self.fails
        self.log.extend(["S", address])
        self.addressed.append(address >> 1)
        if address >> 1 not in self.registers:
            self.log.append("P")
            raise OSError(ENODEV, "nobody is there")

    # SoftI2C's primitives.

    def start(self):
        if self.fails is not None:
            raise self.fails
        self.log.append("S")

    def write(self, data):
        self.log.append(data[0])
        self._address = data[0] >> 1
        self.addressed.append(self._address)
        return 1 if self._address in self.registers else 0

    def readinto(self, buf, nack):
        for index in range(len(buf)):
            buf[index] = self.registers[self._address][self.pointer + index & 0xFF]
        self.pointer += len(buf)
        self.log.append((len(buf), nack))

    def stop(self):
        self.log.append("P")


class FakeSensorBus:
    """A bus that is shared. fails: what `exclusive` raises in place of doing it; spoils: what it raises after it."""

    def __init__(self, i2c):
        self.i2c = i2c
        self.fails = self.spoils = None
        self.barred = ()

    def now(self):
        return 0

    def is_barred(self, address, now):
        return address in self.barred

    async def exclusive(self, use, timeout_ms):
        if self.fails is not None:
            raise self.fails
        use(self.i2c)
        if self.spoils is not None:
            raise self.spoils


class FakeApp:
    """An AppBase whose channel has one handler."""

    def channel(self, number, start):
        assert (number, start) == (1, 1)
        return self

    def on_request(self, handler):
        self.handler = handler


def message(address, data):
    return bytes((address, len(data) >> 8, len(data) & 0xFF)) + data


def read(address, size, counted=0):
    return bytes((address, size >> 8 | counted, size & 0xFF))


def transfer(*messages):
    return bytes((len(messages),)) + b"".join(messages)


class Case(unittest.TestCase):
    def setUp(self):
        self.i2c = FakeI2C()
        self.make(self.i2c)

    def make(self, bus):
        self.app = FakeApp()
        I2CService(self.app, {0: bus, 3: bus}, addresses={0: (A, B, OTHER)})
        self.life = self.raw(b"\x01\x00\0\0\0\0")[1:]

    def raw(self, data):
        return asyncio.run(self.app.handler(bytes(data)))

    def ask(self, *transfers, bus=0):
        return self.raw(bytes((1, bus)) + self.life + b"".join(transfers))


class TestTransfers(Case):
    def test_messages_are_joined_by_repeated_starts(self):
        answer = self.ask(transfer(message(W, b"\x05"), read(R, 2)))
        self.assertEqual(answer, bytes((DONE, 5, 6)))
        self.assertEqual(self.i2c.log, ["S", W, b"\x05", "S", R, 2, "P"])

    def test_several_transfers_have_their_answers_in_order(self):
        answer = self.ask(
            transfer(message(W, b"\x10\xaa")), transfer(read(R, 1)), transfer(message(W, b"\x20"), read(R, 3))
        )
        self.assertEqual(answer, bytes((DONE, DONE, 0xAA, DONE, 0x20, 0x21, 0x22)))

    def test_an_address_alone(self):
        self.assertEqual(self.ask(bytes((0, W)), bytes((0, R))), bytes((DONE, DONE)))
        self.assertEqual(self.i2c.log, ["S", W, b"", "P", "S", R, 0, "P"])

    def test_what_the_target_counts(self):
        answer = self.ask(transfer(message(W, b"\x03"), read(R, 0, 0x80)))
        self.assertEqual(answer, bytes((DONE, 3, 4, 5, 6)))
        self.assertEqual(self.i2c.log, ["S", W, b"\x03", "S", R, (1, False), (3, True), "P"])

    def test_what_is_behind_the_counted_bytes(self):
        self.assertEqual(self.ask(transfer(message(W, b"\x01"), read(R, 1, 0x80))), bytes((DONE, 1, 2, 3)))

    def test_a_count_that_cannot_be_ends_the_read(self):
        for register in (33, 255, 0):
            self.i2c.log.clear()
            answer = self.ask(transfer(message(W, bytes((register,))), read(R, 0, 0x80)))
            self.assertEqual(answer, bytes((STOPPED, 1)))
            self.assertEqual(self.i2c.log[-3:], [(1, False), (1, True), "P"])

    def test_all_that_one_transfer_may_have(self):
        data = bytes(MAX_TRANSFER_BYTES - 1)
        self.assertEqual(self.ask(transfer(message(B << 1, data), read(R, 1))), bytes((DONE, 0)))


class TestFailures(Case):
    def test_the_first_transfer_that_fails_ends_the_answer(self):
        answer = self.ask(
            transfer(read(R, 1)), transfer(message(W, b"\x01"), read(OTHER << 1 | 1, 1)),
            transfer(message(W, b"\x02\xff")),
        )  # fmt: skip
        self.assertEqual(answer, bytes((DONE, 0, NO_ANSWER, 1)))
        self.assertEqual(self.i2c.registers[A][2], 2)

    def test_a_byte_that_is_not_acknowledged_ends_the_transfer_with_a_stop(self):
        self.i2c.takes = 1
        self.assertEqual(self.ask(transfer(message(W, b"\x01\x02"), read(R, 1))), bytes((STOPPED, 0)))
        self.assertEqual(self.i2c.log[-1], "P")
        self.assertEqual(self.ask(transfer(message(W, b"\x01\x02"))), bytes((STOPPED, 0)))

    def test_errors_of_the_board_have_their_codes(self):
        for error, code in (
            (OSError(ENODEV, ""), NO_ANSWER), (OSError(EIO, ""), NO_ANSWER), (OSError(ETIMEDOUT, ""), HELD),
            (OSError("I2C operation not supported"), CANNOT), (OSError(), CANNOT), (ValueError("size"), CANNOT),
            (MemoryError(), NO_MEMORY),
        ):  # fmt: skip
            self.i2c.fails = error
            self.assertEqual(self.ask(transfer(read(R, 1))), bytes((code, 0)))
            self.i2c.fails = None
            self.assertEqual(self.ask(transfer(read(R, 1))), bytes((DONE, 0)))

    def test_a_board_that_cannot_read_what_is_counted(self):
        self.i2c.start = self.no_primitive
        self.assertEqual(self.ask(transfer(read(R, 0, 0x80))), bytes((CANNOT, 0)))

    def no_primitive(self):
        raise OSError("I2C operation not supported")


class TestSharedBus(Case):
    def setUp(self):
        super().setUp()
        self.bus = FakeSensorBus(self.i2c)
        self.make(self.bus)

    def test_a_transfer_is_one_turn_of_the_sensor_bus(self):
        answer = self.ask(transfer(message(W, b"\x05"), read(R, 2)), transfer(read(R, 1)))
        self.assertEqual(answer, bytes((DONE, 5, 6, DONE, 5)))

    def test_errors_of_the_sensor_bus_have_their_codes(self):
        for error, code in (
            (OSError(EIO, "stuck"), HELD), (OSError(ETIMEDOUT, "late"), LATE), (OSError(EAGAIN, "full"), BUSY),
            (OSError(ENODEV, "of a multiplexer"), NO_ANSWER),
        ):  # fmt: skip
            self.bus.fails = error
            self.assertEqual(self.ask(transfer(read(R, 1))), bytes((code, UNKNOWN)))
        self.assertEqual(self.i2c.log, [])

    def test_a_bus_that_is_stuck_behind_it_has_spoilt_it(self):
        self.bus.spoils = OSError(EIO, "stuck")
        self.assertEqual(self.ask(transfer(read(R, 1)))[0], HELD)

    def test_what_is_done_too_late_for_the_turn_has_its_answer_all_the_same(self):
        self.bus.spoils = OSError(ETIMEDOUT, "late")
        self.assertEqual(self.ask(transfer(read(R, 1))), bytes((DONE, 0)))

    def test_a_turn_that_was_given_up_never_comes(self):
        kept = []

        async def exclusive(use, timeout_ms):
            kept.append(use)
            raise OSError(ETIMEDOUT, "late")

        self.bus.exclusive = exclusive
        self.assertEqual(self.ask(transfer(message(W, b"\x05\x99")))[0], LATE)
        kept[0](self.i2c)
        self.assertEqual(self.i2c.log, [])

    def test_an_address_that_is_barred_is_left_alone(self):
        self.bus.barred = (A,)
        self.assertEqual(self.ask(transfer(message(B << 1, b"\x01"), read(R, 1))), bytes((BARRED, 1)))
        self.assertEqual(self.i2c.log, [])


class TestDistrust(Case):
    def test_no_address_is_allowed_that_was_not_named(self):
        for address in range(128):
            if address not in (A, B, OTHER):
                for one in (
                    transfer(message(address << 1, b"\x01")), transfer(read(address << 1 | 1, 1)),
                    bytes((0, address << 1)), transfer(message(W, b"\x01"), read(address << 1 | 1, 1)),
                ):  # fmt: skip
                    answer = self.ask(one)
                    self.assertEqual(answer[0], NOT_ALLOWED)
        self.assertEqual(self.ask(transfer(read(R, 1)), bus=3), bytes((NOT_ALLOWED, 0)))
        self.assertEqual(self.i2c.log, [])

    def test_another_life_is_told_and_nothing_is_carried_out(self):
        good = transfer(read(R, 1))
        former = self.life
        self.make(self.i2c)
        self.assertNotEqual(former, self.life)
        answer = self.raw(b"\x01\x00" + former + good)
        self.assertEqual(answer, bytes((OTHER_LIFE,)) + self.life)
        self.assertEqual(self.i2c.log, [])

    def test_a_bus_that_is_not_there(self):
        self.assertEqual(self.ask(transfer(read(R, 1)), bus=1), bytes((NO_BUS, UNKNOWN)))

    def test_what_is_no_request_does_nothing(self):
        good = transfer(message(W, b"\x01\x02\x03"), read(R, 2))
        bad = [good[:size] for size in range(1, len(good))]
        bad += [
            b"", good + b"\x01", good + b"\0", b"\x2b" + read(R, 1) * 43, transfer(read(R, MAX_TRANSFER_BYTES + 1)),
            transfer(message(W, bytes(MAX_TRANSFER_BYTES)), read(R, 1)), transfer(read(R, 0x7FFF)),
            transfer(read(R, 0x7FFF, 0x80)), transfer(read(R, 256)) * 4, bytes(MAX_I2C_BYTES),
            transfer(bytes((W, 0xFF, 0xFF))),
        ]  # fmt: skip
        for data in bad:
            self.assertEqual(self.ask(data), bytes((BAD_REQUEST, UNKNOWN)), data)
        for data in (b"", b"\x01", b"\x02\x00" + self.life + good, b"\x01\x00" + self.life[:3]):
            self.assertEqual(self.raw(data), bytes((BAD_REQUEST, UNKNOWN)), data)
        self.assertEqual(self.i2c.log, [])

    def test_random_bytes_reach_no_other_address_and_get_a_bounded_answer(self):
        seed = random.getrandbits(30)
        random.seed(seed)
        good = [transfer(message(W, b"\x01\x02")), transfer(read(R, 2)), bytes((0, W)), transfer(read(R, 1, 0x80))]
        for _ in range(500):
            data = bytearray(b"".join([random.choice(good) for _ in range(random.randrange(1, 5))]))
            for _ in range(random.randrange(4)):
                data[random.randrange(len(data))] = random.getrandbits(8)
            if random.randrange(3) == 0:
                data = data[: random.randrange(len(data))]
            answer = self.ask(bytes(data))
            self.assertTrue(2 <= len(answer) <= MAX_I2C_BYTES or answer[0] == DONE, seed)
        self.assertTrue(self.i2c.addressed)
        for address in self.i2c.addressed:
            self.assertIn(address, (A, B, OTHER), seed)

    def test_arguments_are_checked(self):
        for buses, addresses, told in (
            ({0: None}, {1: (A,)}, "addresses has bus 1"), ({256: None}, None, "must be 0..255"),
            ({"0": None}, None, "must be 0..255"), ({0: None}, {0: (0x80,)}, "must be 0x00..0x7f"),
            ({0: None}, {0: "0x48"}, "must be 0x00..0x7f"),
        ):  # fmt: skip
            with self.assertRaisesRegex(ValueError, told):
                I2CService(FakeApp(), buses, addresses=addresses)


if __name__ == "__main__":
    unittest.main()
