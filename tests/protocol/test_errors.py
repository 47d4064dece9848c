import unittest

from protocol.errors import (
    AuthenticationError,
    LinkDown,
    LinkError,
    LocalProtocolError,
    RemoteProtocolError,
    StoreError,
)


class TestErrors(unittest.TestCase):
    def test_one_name_catches_all_of_the_link(self):
        for error in (LocalProtocolError, RemoteProtocolError, LinkDown, StoreError):
            self.assertTrue(issubclass(error, LinkError))

    def test_failed_authentication_is_the_other_sides_fault(self):
        self.assertTrue(issubclass(AuthenticationError, RemoteProtocolError))

    def test_link_errors_are_not_those_of_the_operating_system(self):
        self.assertFalse(issubclass(LinkError, OSError))


if __name__ == "__main__":
    unittest.main()
