"""The store in memory keeps the contract, under both interpreters."""

import unittest

from server.stores.memory import MemoryStore
from tests.server.store_contract import StoreContract


class TestMemoryStore(StoreContract, unittest.TestCase):
    pass


class TestItself(unittest.TestCase):
    def test_stores_share_nothing(self):
        first, second = MemoryStore(), MemoryStore()
        with self.assertRaises(StopIteration):
            first.claim("a").send(None)
        with self.assertRaises(StopIteration) as ended:
            second.peek("a").send(None)
        self.assertEqual(ended.exception.value[0], 0)
