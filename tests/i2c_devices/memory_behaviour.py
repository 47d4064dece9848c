"""How a memory target behaves, on any bed: `self.bed(mode)` makes one (bed.py has the names that it must have)."""

from i2c_devices.memory_controller import MemoryController
from i2c_devices.memory_target import MemoryTarget
from tests.i2c_devices.bed import ADDRESS, LATE, LOST, MODES, ON_TIME


class Notes:
    """Callbacks that do not allocate: they run under heap_lock."""

    def __init__(self):
        self.reads = self.writes = self.uses = 0
        self.offset = self.length = -1

    def used(self):
        self.uses += 1

    def read(self, offset, length):
        self.reads += 1
        self.offset, self.length = offset, length

    def written(self, offset, length):
        self.writes += 1
        self.offset, self.length = offset, length


class MemoryBehaviour:
    EXACT = False  # the byte engine

    def make(self, mode=ON_TIME, size=32, **options):
        bed = self.bed(mode)
        notes = Notes()
        target = MemoryTarget(
            bed.port, size, notes.used, 8, memory_read=notes.read, memory_written=notes.written, exact=self.EXACT,
            **options,
        )
        self.addCleanup(bed.close)
        self.addCleanup(target.close)
        target.open()
        return bed, target, notes, MemoryController(bed.i2c, ADDRESS, 8)

    def modes(self):
        return (ON_TIME, LOST) if self.EXACT else MODES

    def read(self, controller, at, size):
        buf = bytearray(size)
        controller.read_into(at, buf)
        return bytes(buf)

    def test_what_is_written_is_read_whatever_becomes_of_the_events(self):
        for mode in self.modes():
            bed, target, _, controller = self.make(mode)
            controller.write(3, b"hello")
            bed.settle()
            self.assertEqual(bytes(target.memory[3:8]), b"hello")
            target.memory[4] = 0x45
            self.assertEqual(self.read(controller, 3, 5), b"hEllo")
            target.close()
            bed.close()

    def test_writes_and_reads_wrap(self):
        bed, target, _, controller = self.make()
        controller.write(30, b"abcd")
        bed.settle()
        self.assertEqual(bytes(target.memory[30:]) + bytes(target.memory[:2]), b"abcd")
        self.assertEqual(self.read(controller, 30, 4), b"abcd")
        self.assertEqual(len(self.read(controller, 0, 40)), 40)

    def test_reads_that_go_on_without_an_address_begin_where_the_last_one_ended(self):
        bed, target, _, controller = self.make()
        target.memory[:6] = b"abcdef"
        one, two = bytearray(2), bytearray(2)
        controller.read_into(1, one)
        if self.EXACT:  # the memory engine's pointer is one too far, by the byte that was prefetched
            bed.i2c.readfrom_into(ADDRESS, two)
            self.assertEqual(bytes(one + two), b"bcde")

    def test_callbacks_tell_offset_and_where_known_length(self):
        bed, target, notes, controller = self.make()
        controller.write(5, b"xyz")
        bed.settle()
        self.assertEqual((notes.writes, notes.offset, notes.length), (1, 5, 3 if self.EXACT else None))
        self.read(controller, 7, 4)
        bed.settle()
        self.assertEqual((notes.reads, notes.offset, notes.length), (1, 7, 4 if self.EXACT else None))

    def test_late_events_are_told_late(self):
        if self.EXACT:
            return
        bed, target, notes, controller = self.make(LATE)
        controller.write(5, b"xyz")
        self.assertEqual(notes.writes, 0)
        bed.settle()
        self.assertEqual(notes.writes, 1)

    def test_address_only_writes_tell_nothing_and_change_nothing(self):
        bed, target, notes, controller = self.make()
        before = bytes(target.memory)
        bed.i2c.writeto(ADDRESS, b"\x09")
        bed.settle()
        self.assertEqual(notes.writes, 0)
        bed.i2c.writeto(ADDRESS, b"")  # as in a scan: MicroPython's memory tells of it like of a write
        bed.settle()
        self.assertEqual((notes.writes, bytes(target.memory)), (0 if self.EXACT else 1, before))
        controller.write(1, b"a")
        self.assertEqual(self.read(controller, 1, 1), b"a")

    def test_repeated_starts_select_anew(self):
        bed, target, notes, controller = self.make()
        target.memory[:6] = b"abcdef"
        bed.i2c.writeto(ADDRESS, b"\x02", False)
        bed.i2c.writeto(ADDRESS, b"\x04", False)
        buf = bytearray(2)
        bed.i2c.readfrom_into(ADDRESS, buf)
        self.assertEqual(bytes(buf), b"ef")

    def test_read_only_ranges_stay_whatever_becomes_of_the_events(self):
        for mode in self.modes():
            bed, target, _, controller = self.make(mode, read_only=((0, 4), (8, 10)))
            target.put(0, b"keep")
            controller.write(2, b"--------")
            bed.settle()
            target.restore()
            self.assertEqual(self.read(controller, 0, 10), b"keep----\0\0")
            self.assertGreater(target.refused, 0)
            target.close()
            bed.close()

    def test_closed_target_does_not_answer_and_keeps_its_memory(self):
        bed, target, _, controller = self.make()
        controller.write(0, b"kept")
        bed.settle()
        target.close()
        with self.assertRaises(OSError):
            self.read(controller, 0, 1)
        target.open()
        self.assertEqual(self.read(controller, 0, 4), b"kept")


class ExactMemoryBehaviour(MemoryBehaviour):
    EXACT = True

    def test_update_shows_the_old_or_the_new_block(self):
        bed, target, _, controller = self.make(size=8, atomic=True)
        with target.update() as memory:
            memory[:] = b"oldoldol"
        self.assertEqual(self.read(controller, 0, 8), b"oldoldol")

        def change():
            for text in (b"newnewne", b"NEWNEWNE", b"newnewne"):
                with target.update() as memory:
                    memory[:] = text

        first, second = bytearray(3), bytearray(5)
        bed.read_around(0, first, second, change)
        self.assertEqual(bytes(first + second), b"oldoldol")
        self.assertEqual(self.read(controller, 0, 8), b"newnewne")

    def test_nothing_of_an_update_shows_before_its_end(self):
        bed, target, _, controller = self.make(size=4, atomic=True)
        with target.update() as memory:
            memory[:] = b"abcd"
            self.assertEqual(self.read(controller, 0, 4), bytes(4))
        self.assertEqual(self.read(controller, 0, 4), b"abcd")

    def test_update_that_fails_shows_the_old_block(self):
        bed, target, _, controller = self.make(size=4, atomic=True)
        with self.assertRaises(KeyError):
            with target.update() as memory:
                memory[0] = 9
                raise KeyError
        self.assertEqual((self.read(controller, 0, 4), bytes(target.memory)), (bytes(4), bytes(4)))

    def test_controllers_write_during_an_update_is_kept(self):
        bed, target, _, controller = self.make(size=4, atomic=True)
        with target.update() as memory:
            memory[0] = 1
            controller.write(3, b"\x07")
        self.assertEqual(self.read(controller, 0, 4), b"\x01\0\0\x07")

    def test_read_only_bytes_are_never_stored(self):
        bed, target, _, controller = self.make(read_only=((2, 4),))
        controller.write(0, b"abcdef")
        self.assertEqual(bytes(target.memory[:6]), b"ab\0\0ef")
        self.assertEqual(target.refused, 2)

    def test_address_that_is_cut_short_selects_nothing(self):
        bed = self.bed(ON_TIME)
        target = MemoryTarget(bed.port, 300, None, 16, exact=True)
        self.addCleanup(bed.close)
        self.addCleanup(target.close)
        target.open()
        target.memory[5] = 7
        bed.i2c.writeto(ADDRESS, b"\0\x05")
        bed.i2c.writeto(ADDRESS, b"\x01")
        buf = bytearray(1)
        bed.i2c.readfrom_into(ADDRESS, buf)
        self.assertEqual(buf[0], 7)
