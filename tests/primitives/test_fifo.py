import unittest

from primitives.fifo import Fifo


class TestFifo(unittest.TestCase):
    def test_bytes_come_out_in_order_across_the_end(self):
        fifo = Fifo(5)
        out = b""
        for i in range(20):
            self.assertEqual(fifo.put(bytes((i, i + 100))), 2)
            out += fifo.read()
        self.assertEqual(out, b"".join(bytes((i, i + 100)) for i in range(20)))

    def test_what_finds_no_room_is_left(self):
        fifo = Fifo(4)
        self.assertEqual(fifo.put(b"abc"), 3)
        self.assertEqual(fifo.put(b"def"), 1)
        self.assertEqual(fifo.put(b"g"), 0)
        self.assertEqual((len(fifo), fifo.room, fifo.read()), (4, 0, b"abcd"))

    def test_copies_stay_until_they_are_dropped(self):
        fifo = Fifo(6)
        fifo.put(b"xxxx")
        fifo.drop(4)
        fifo.put(b"abcdef")  # across the end
        buf = bytearray(5)
        fifo.copy_into(buf, 1, 2, 4)
        self.assertEqual(bytes(buf), b"\0cdef")
        fifo.drop(5)
        self.assertEqual(fifo.read(), b"f")

    def test_line_ends_behind_its_newline(self):
        fifo = Fifo(8)
        fifo.put(b"1234567")
        fifo.drop(6)
        fifo.put(b"a\nbc")
        self.assertEqual(fifo.read(fifo.line()), b"7a\n")
        self.assertEqual(fifo.read(fifo.line()), b"bc")
        self.assertEqual(fifo.line(), 0)

    def test_reading_takes_what_there_is(self):
        fifo = Fifo(8)
        fifo.put(b"abc")
        buf = bytearray(2)
        self.assertEqual((fifo.readinto(buf), bytes(buf)), (2, b"ab"))
        self.assertEqual((fifo.readinto(buf), fifo.readinto(buf)), (1, 0))


if __name__ == "__main__":
    unittest.main()
