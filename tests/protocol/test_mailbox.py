import unittest

from protocol import mailbox as box
from protocol.sequence import get16
from protocol.target_cells import decode_ack, decode_sync, encode_status_into
from tests.protocol.noise import Noise, every_flip
from tests.protocol.transfers import is_whole, sealed

EPOCHS = box.pack_epochs(0x1234, 0xABCD)


def transfer(payload=b"payload", direction=box.FROM_CONTROLLER, epochs=EPOCHS, number=7):
    return sealed(direction, epochs, payload, number, box.DATA, 3, 9)


def whole(buf, direction=box.FROM_CONTROLLER):
    return is_whole(direction, EPOCHS, buf)


def status(**fields):
    cell = box.StatusCell()
    for name, value in fields.items():
        setattr(cell, name, value)
    buf = bytearray(box.STATUS_BYTES)
    encode_status_into(cell, buf)
    return buf


class TestLayout(unittest.TestCase):
    def test_parts_lie_as_the_table_says(self):
        self.assertEqual((box.SYNC, box.ACK, box.STATUS, box.RX, box.TX), (0, 10, 14, 30, 1108))
        self.assertEqual(box.TX + box.SLOT, 2186)
        self.assertEqual(box.TX + box.TX_STRIDE, 2202)
        self.assertEqual(box.TX + box.SLOTS * box.TX_STRIDE, 3296)

    def test_transfer_takes_at_most_25_ms_at_400_khz(self):
        clocks = 9 * (1 + 2 + 1 + box.STATUS_BYTES + box.SLOT) + 3
        self.assertLess(clocks / 400, 25)

    def test_numbers_wrap_without_changing_slots(self):
        self.assertEqual(256 % box.SLOTS, 0)


class TestSync(unittest.TestCase):
    def cell(self):
        buf = bytearray(box.SYNC_BYTES + 2)
        box.encode_sync_into(buf, 1, 0xABCD, 0x1234, 1068)
        return buf

    def test_fields_come_back(self):
        self.assertEqual(decode_sync(self.cell()[1:]), (0xABCD, 0x1234, 1068))

    def test_flipped_bit_anywhere_is_refused(self):
        for bad in every_flip(bytes(self.cell()[1:-1])):
            self.assertIsNone(decode_sync(bad))

    def test_empty_memory_is_no_sync(self):
        self.assertIsNone(decode_sync(bytes(box.SYNC_BYTES)))


class TestAck(unittest.TestCase):
    def cell(self, number=200):
        buf = bytearray(box.ACK_BYTES)
        box.encode_ack_into(buf, 0, EPOCHS, number)
        return buf

    def test_number_comes_back(self):
        self.assertEqual(decode_ack(self.cell(), 0, EPOCHS), 200)

    def test_flipped_bit_anywhere_is_refused(self):
        for number in range(256):
            for bad in every_flip(bytes(self.cell(number))):
                self.assertIsNone(decode_ack(bad, 0, EPOCHS))

    def test_ack_of_another_epoch_is_refused(self):
        for epochs in (box.pack_epochs(0x1235, 0xABCD), box.pack_epochs(0x1234, 0xABCE), bytes(4)):
            self.assertIsNone(decode_ack(self.cell(), 0, epochs))


class TestStatus(unittest.TestCase):
    FIELDS = {
        "beat": 255,
        "target_epoch": 0x1234,
        "controller_epoch": 0xFFFF,
        "next": 3,
        "base": 254,
        "end": 0,
        "length0": 1068,
        "length1": 1,
        "drop": 9,
    }

    def test_fields_come_back(self):
        cell = box.StatusCell()
        self.assertTrue(cell.read_from(status(**self.FIELDS)))
        for name, value in self.FIELDS.items():
            self.assertEqual(getattr(cell, name), value)
        self.assertEqual((cell.length(254), cell.length(255)), (1068, 1))

    def test_flipped_bit_anywhere_is_refused_and_changes_nothing(self):
        for bad in every_flip(bytes(status(**self.FIELDS))):
            cell = box.StatusCell()
            self.assertFalse(cell.read_from(bad))
            self.assertEqual((cell.target_epoch, cell.end, cell.length0), (0, 0, 0))

    def test_empty_memory_is_no_status(self):
        self.assertFalse(box.StatusCell().read_from(bytes(box.STATUS_BYTES)))


class TestResidue(unittest.TestCase):
    def test_no_three_flipped_bits_go_unseen_in_the_longest_cell(self):
        """A flip adds or subtracts 2**bit times the weight of its word; no three such terms may cancel."""
        weights = [1]  # of the check itself
        for last in range(9):
            unit = bytearray(2 * 9)
            unit[2 * last + 1] = 1
            weights.append(box.residue(0, unit, 0, 18))
        terms = [weight * 2**bit % 65521 for weight in weights for bit in range(16)]
        terms += [65521 - term for term in terms]
        known = set(terms)
        self.assertEqual(len(known), len(terms))  # nor do two cancel
        half = len(terms) // 2
        for i in range(half):
            for j in range(i):
                for other in (terms[j], terms[half + j]):
                    third = (-terms[i] - other) % 65521
                    if third in known:
                        at = terms.index(third) % half
                        self.assertIn(at, (i, j))  # the same bit cannot flip twice


class TestTransfer(unittest.TestCase):
    def test_whole_transfer_is_ok(self):
        for payload in (b"x", bytes(box.PAYLOAD)):
            buf = transfer(payload)
            self.assertTrue(whole(buf))
            self.assertEqual(get16(buf, box.LENGTH), len(payload))

    def test_header_is_as_the_table_says(self):
        self.assertEqual(bytes(transfer()[:6]), b"\x07\x00\x03\x09\x00\x07")

    def test_flipped_bit_anywhere_is_refused(self):
        # A slot has room for what a damaged length asks for.
        good = bytes(transfer()) + bytes(box.PAYLOAD)
        for bit in range(8 * (box.HEADER + 7)):
            bad = bytearray(good)
            bad[bit // 8] ^= 1 << bit % 8
            self.assertFalse(whole(bad))

    def test_torn_transfer_is_refused(self):
        old, new = transfer(b"o" * 60, number=5), transfer(b"n" * 60, number=7)
        for at in range(1, len(new)):
            torn = new[:at] + old[at:]
            self.assertFalse(whole(torn))

    def test_transfer_of_the_other_direction_is_refused(self):
        self.assertFalse(whole(transfer(), box.FROM_TARGET))

    def test_transfer_of_another_epoch_is_refused(self):
        buf = transfer(epochs=box.pack_epochs(0x1234, 0xABCE))
        self.assertFalse(whole(buf))

    def test_noise_is_refused(self):
        noise = Noise(7)
        for _ in range(60):
            data = bytearray(noise.data(box.SLOT))
            self.assertFalse(whole(data))
            self.assertFalse(box.StatusCell().read_from(data))
            self.assertIsNone(decode_sync(data))
            self.assertIsNone(decode_ack(data, 0, EPOCHS))


if __name__ == "__main__":
    unittest.main()
