"""The store of several databases passes the contract's tests, as the stores of test_contract.py do.

Apart from these, since it takes as long as all of them together: `make test-cases` runs it. What it alone has is in
test_sharded.py.
"""

import unittest

from tests.server.store_beds import ShardedBed
from tests.server.store_contract import StoreContract


class TestSharded(StoreContract, unittest.TestCase):
    bed_class = ShardedBed
