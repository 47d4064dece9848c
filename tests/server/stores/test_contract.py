"""Every store passes the contract's tests (tests/server/store_contract.py): a new one joins with a line in BEDS.

The store in memory does so in test_memory.py, under both interpreters, that of several databases in
test_contract_sharded.py.
"""

import unittest

from tests.server.store_beds import PostgresBed, SlowBed, SQLiteBed, VirtualDiskBed
from tests.server.store_contract import StoreContract

BEDS = {
    "Slow": SlowBed,
    "Postgres": PostgresBed,
    "SQLite": SQLiteBed,
    "VirtualDisk": VirtualDiskBed,
}

for name, bed in BEDS.items():
    found = type(f"Test{name}", (StoreContract, unittest.TestCase), {"bed_class": bed, "__module__": __name__})
    globals()[found.__name__] = found
del found
