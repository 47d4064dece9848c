"""The memory of stream and packet devices, byte by byte: a change here is a change of docs/i2c-devices.md."""

import unittest
from binascii import hexlify

from protocol.device import (
    DEVICE_BYTES,
    PACKET,
    STREAM,
    DeviceStatusCell,
    Layout,
    decode_device,
    encode_device_into,
    encode_status_into,
)

DEVICE = b"655000640004000900004980"
STATUS = b"65031234abcd07fe000064002101f403e800038d"


class TestLayout(unittest.TestCase):
    def test_offsets_are_those_of_the_table(self):
        for max_payload in (16, 100, 1024):
            layout = Layout(max_payload)
            self.assertEqual((layout.SYNC, layout.ACK, layout.RX), (12, 22, 26))
            self.assertEqual(layout.TX, 36 + max_payload)
            self.assertEqual(layout.STATUS, 46 + 2 * max_payload)
            self.assertEqual(layout.TX + layout.TX_STRIDE, 66 + 2 * max_payload)
            self.assertEqual(layout.STATUS + layout.TX_STRIDE, 76 + 3 * max_payload)
            self.assertEqual(layout.MEMORY, 96 + 3 * max_payload)

    def test_what_the_target_writes_is_read_only(self):
        self.assertEqual(Layout(100).READ_ONLY, ((0, 12), (136, 396)))


class TestRecordedBytes(unittest.TestCase):
    def test_device(self):
        buf = bytearray(DEVICE_BYTES)
        encode_device_into(buf, 0, PACKET, 100, 4, 9)
        self.assertEqual(hexlify(buf), DEVICE)
        self.assertEqual(decode_device(buf), (PACKET, 100, 4, 9))

    def test_status(self):
        status = DeviceStatusCell()
        status.faults, status.target_epoch, status.controller_epoch = 3, 0x1234, 0xABCD
        status.next, status.base, status.end = 7, 254, 0
        status.length0, status.length1, status.available, status.room = 100, 33, 500, 1000
        buf = bytearray(Layout.STATUS_BYTES)
        encode_status_into(status, buf)
        self.assertEqual(hexlify(buf), STATUS)
        again = DeviceStatusCell()
        self.assertTrue(again.read_from(buf))
        self.assertEqual(again.room, 1000)


class TestGarbage(unittest.TestCase):
    def test_cells_with_a_byte_changed_are_refused_and_change_nothing(self):
        device = bytearray(DEVICE_BYTES)
        encode_device_into(device, 0, STREAM, 64, 128, 128)
        for at in range(DEVICE_BYTES):
            device[at] ^= 0x10
            self.assertIsNone(decode_device(device))
            device[at] ^= 0x10
        cell = bytearray(Layout.STATUS_BYTES)
        encode_status_into(DeviceStatusCell(), cell)
        status = DeviceStatusCell()
        status.room = 5
        for at in range(Layout.STATUS_BYTES):
            cell[at] ^= 0x10
            self.assertFalse(status.read_from(cell))
            self.assertEqual(status.room, 5)
            cell[at] ^= 0x10

    def test_max_payload_that_no_device_has_is_refused(self):
        for max_payload in (0, 1025):
            device = bytearray(DEVICE_BYTES)
            encode_device_into(device, 0, STREAM, max_payload, 128, 128)
            self.assertIsNone(decode_device(device))


if __name__ == "__main__":
    unittest.main()
