import os
import unittest
from hashlib import sha256

from primitives import nonces
from primitives.nonces import Nonces, moment


def digest(*parts):
    """Stands for an HMAC."""
    return sha256(b"|".join(parts)).digest()


class Repeating:
    """Stands for the module os on a board whose generator gives the same bytes after each boot."""

    def __init__(self):
        self._number = 0

    def urandom(self, count):
        self._number += 1
        return bytes((self._number,)) * count


class TestNonces(unittest.TestCase):
    def setUp(self):
        self.moments = []
        nonces.os = Repeating()
        nonces.moment = lambda: self.moments.pop(0) if self.moments else b"same"

    def tearDown(self):
        nonces.os = os
        nonces.moment = moment

    def numbers(self, *moments, more=b""):
        """The numbers of an epoch whose generator has begun anew."""
        nonces.os = Repeating()
        self.moments = list(moments)
        epoch = Nonces(digest, b"key")
        return [epoch.draw(32, more) for _ in range(3)]

    def test_numbers_of_an_epoch_differ_though_moment_and_random_bytes_do_not(self):
        nonces.os.urandom = bytes
        epoch = Nonces(digest, b"key")
        self.assertEqual(len({epoch.draw(32, b"x") for _ in range(3)}), 3)

    def test_epochs_at_other_moments_have_no_number_in_common(self):
        first, second = self.numbers(b"at 1"), self.numbers(b"at 2")
        self.assertEqual(len(set(first + second)), 6)

    def test_epochs_that_met_another_bridge_have_no_number_in_common(self):
        first, second = self.numbers(more=b"bridge 1"), self.numbers(more=b"bridge 2")
        self.assertEqual(len(set(first + second)), 6)

    def test_epochs_whose_generators_differ_have_no_number_in_common(self):
        first = self.numbers()
        nonces.os = Repeating()
        nonces.os.urandom(16)
        epoch = Nonces(digest, b"key")
        self.assertEqual(len(set(first + [epoch.draw(32) for _ in range(3)])), 6)

    def test_epochs_that_have_everything_in_common_have_their_numbers_in_common(self):
        """docs/protocol.md section 5 says so: a generator is required."""
        self.assertEqual(self.numbers(), self.numbers())

    def test_as_many_bytes_as_are_asked_for(self):
        for count in (2, 8, 16, 32):
            self.assertEqual(len(Nonces(digest, b"key").draw(count)), count)


class TestMoment(unittest.TestCase):
    def test_moments_differ(self):
        seen = moment()
        self.assertTrue(any(moment() != seen for _ in range(100000)))

    def test_moment_has_always_the_same_size(self):
        self.assertEqual(len(moment()), len(moment()))


if __name__ == "__main__":
    unittest.main()
