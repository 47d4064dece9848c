"""Streams and packets over a bus that fails: everything once and in order, whatever fault comes at what exchange."""

import unittest

from tests.i2c_devices.bus import FAULTS
from tests.i2c_devices.exchange import PacketExchange, StreamExchange
from tests.protocol.noise import Noise

UP = bytes(i * 11 & 0xFF for i in range(150))
DOWN = bytes(i * 13 & 0xFF for i in range(150))
PACKETS_UP = [b"up %d " % i + b"." * (i * 9 % 40) for i in range(6)]
PACKETS_DOWN = [b"down %d " % i + b"-" * (i * 9 % 40) for i in range(6)]


def stream(faults):
    return StreamExchange(faults, UP, DOWN)


def packets(faults):
    return PacketExchange(faults, PACKETS_UP, PACKETS_DOWN)


CASES = ((stream, (UP, DOWN)), (packets, (PACKETS_UP, PACKETS_DOWN)))


class TestFaults(unittest.TestCase):
    def test_one_fault_at_any_exchange_loses_and_repeats_nothing(self):
        for make, expected in CASES:
            last = make({}).run().bus.step
            for fault in FAULTS:
                for step in range(last):
                    with self.subTest(kind=make.__name__, fault=fault, step=step):
                        run = make({step: fault}).run()
                        self.assertEqual(run.result(), expected)
                        self.assertEqual(run.target.resets, 1)

    def test_every_third_exchange_fails_and_nothing_is_lost(self):
        for make, expected in CASES:
            for fault in FAULTS:
                run = make(dict([(step, fault) for step in range(0, 6000, 3)])).run()
                self.assertEqual(run.result(), expected)

    def test_random_faults_lose_and_repeat_nothing(self):
        for seed in range(30):
            noise = Noise(seed)
            faults = {}
            for step in range(600):
                if noise.number(3) == 0:
                    faults[step] = FAULTS[noise.number(len(FAULTS))]
            for make, expected in CASES:
                with self.subTest(kind=make.__name__, seed=seed):
                    self.assertEqual(make(faults).run().result(), expected)

    def test_noise_written_anywhere_is_refused_and_loses_nothing(self):
        for make, expected in CASES:
            for seed in range(30):
                noise = Noise(seed)

                def scribble(bus, noise=noise):
                    if bus.memory is not None:
                        at = noise.number(len(bus.memory))
                        data = noise.data(1 + noise.number(60))
                        for i in range(len(data)):
                            bus.memory[(at + i) % len(bus.memory)] = data[i]

                run = make(dict([(step, scribble) for step in range(2, 400, 3)])).run()
                with self.subTest(kind=make.__name__, seed=seed):
                    self.assertEqual(run.result(), expected)

    def test_transfer_numbers_wrap(self):
        many = [b"%d" % i for i in range(270)]
        run = PacketExchange({}, many, many).run(9000)
        self.assertEqual(run.result(), (many, many))

    def test_failures_and_damage_are_counted(self):
        run = stream({6: "nack", 8: "tear", 10: "corrupt", 11: "corrupt"}).run()
        self.assertEqual(run.controller.failures, 2)
        self.assertGreater(run.controller.damaged + run.target.damaged, 0)


if __name__ == "__main__":
    unittest.main()
