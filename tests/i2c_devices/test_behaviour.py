"""The behaviour of each device class on a bus in this process, as a target of an stm32 and of an rp2."""

import unittest

from i2c_devices import port_table as ports
from tests.i2c_devices.bed import ModelBed
from tests.i2c_devices.memory_behaviour import ExactMemoryBehaviour, MemoryBehaviour
from tests.i2c_devices.packet_behaviour import PacketBehaviour
from tests.i2c_devices.stream_behaviour import StreamBehaviour


class Stm32:
    def bed(self, mode):
        return ModelBed(ports.STM32, mode)


class Rp2:
    def bed(self, mode):
        return ModelBed(ports.RP2, mode)


class TestMemoryStm32(Stm32, MemoryBehaviour, unittest.TestCase):
    pass


class TestMemoryRp2(Rp2, MemoryBehaviour, unittest.TestCase):
    pass


class TestExactMemoryStm32(Stm32, ExactMemoryBehaviour, unittest.TestCase):
    pass


class TestExactMemoryRp2(Rp2, ExactMemoryBehaviour, unittest.TestCase):
    pass


class TestStreamStm32(Stm32, StreamBehaviour, unittest.TestCase):
    pass


class TestStreamRp2(Rp2, StreamBehaviour, unittest.TestCase):
    pass


class TestPacketStm32(Stm32, PacketBehaviour, unittest.TestCase):
    pass


class TestPacketRp2(Rp2, PacketBehaviour, unittest.TestCase):
    pass


if __name__ == "__main__":
    unittest.main()
