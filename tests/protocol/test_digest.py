import unittest
from binascii import hexlify

from protocol.digest import Hmac

# Key, message and HMAC-SHA256 of RFC 4231, test cases 1, 2 and 3.
RFC_4231 = (
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ),
)


class TestHmac(unittest.TestCase):
    def test_vectors_of_rfc_4231(self):
        for key, message, expected in RFC_4231:
            self.assertEqual(str(hexlify(Hmac(key).digest(message)), "ascii"), expected)

    def test_parts_are_one_message(self):
        hmac = Hmac(bytes(32))
        self.assertEqual(hmac.digest(b"ab", b"", b"cd"), hmac.digest(b"abcd"))

    def test_one_object_serves_many_messages(self):
        hmac = Hmac(bytes(32))
        first = hmac.digest(b"one")
        hmac.digest(b"two")
        self.assertEqual(hmac.digest(b"one"), first)

    def test_key_longer_than_a_block_is_refused(self):
        Hmac(bytes(64))
        with self.assertRaises(ValueError):
            Hmac(bytes(65))

    def test_key_is_not_shown(self):
        self.assertNotIn("secret", repr(Hmac(b"secret")))


if __name__ == "__main__":
    unittest.main()
