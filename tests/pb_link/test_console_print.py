"""What a console sees of what is printed where there is no os.dupterm."""

import builtins
import sys
import unittest
from io import StringIO

from pb_link import console_print, runner
from pb_link.console_print import Printed

MICROPYTHON = sys.implementation.name == "micropython"


class Kept:
    """In place of a Console. fault: what `write` raises."""

    def __init__(self):
        self.data = b""
        self.fault = None

    def write(self, data):
        if self.fault:
            raise self.fault
        self.data += bytes(data)


class Open:
    """In place of a Link."""

    closed = False


def streams():
    return (builtins.print, runner.print_exception) if MICROPYTHON else (sys.stdout, sys.stderr)


class TestPrinted(unittest.TestCase):
    def setUp(self):
        self.kept = Kept()
        self.printed = Printed(self.kept)
        self.before = streams()
        self.printed.attach()
        self.printed.attach()

    def tearDown(self):
        self.printed.detach()
        self.printed.detach()
        self.assertEqual(streams(), self.before)

    def test_words_and_their_end_are_as_printed(self):
        print("a", 1, sep="-", end=".\n")
        print("\u00e4")
        self.assertEqual(self.kept.data, "a-1.\n\u00e4\n".encode())

    def test_exception_of_the_application_is_shown_with_its_traceback(self):
        one = runner.Runner(None, Open, None)
        try:
            raise OSError(19, "the pump is dry")
        except OSError as error:
            one._caught(error)
        self.assertTrue(self.kept.data.startswith(b"pb_link: the application has failed\nTraceback"))
        self.assertTrue(b"the pump is dry" in self.kept.data and b"test_console_print" in self.kept.data)

    def test_what_is_printed_into_a_file_is_not_seen_and_stderr_is(self):
        other = StringIO()
        print("other", file=other)
        print("error", file=sys.stderr)
        self.assertEqual((self.kept.data, other.getvalue()), (b"error\n", "other\n"))

    def test_lack_of_memory_for_it_is_not_told_to_who_prints(self):
        if MICROPYTHON:
            self.kept.fault = MemoryError()
            print("only here")
            self.assertEqual(self.kept.data, b"")
            self.kept.fault = None
            found = console_print.StringIO
            console_print.StringIO = self.no_memory
            try:
                print("only here")
                runner.print_exception(OSError(19))
            finally:
                console_print.StringIO = found
            self.assertEqual(self.kept.data, b"")
            print("again")
            self.assertEqual(self.kept.data, b"again\n")

    def no_memory(self):
        raise MemoryError

    def test_streams_of_cpython_keep_their_other_methods(self):
        if not MICROPYTHON:
            sys.stdout.flush()
            self.assertEqual(sys.stdout.write("four"), 4)
            self.assertEqual(sys.stdout.encoding, self.before[0].encoding)


if __name__ == "__main__":
    unittest.main()
