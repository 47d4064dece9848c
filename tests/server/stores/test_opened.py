"""Which store an address names."""

import sys

import pytest

from protocol.errors import StoreError
from server.stores.opened import is_postgres, open_store, shown_address
from server.stores.sqlite import SQLiteStore


def test_path_is_a_file(tmp_path):
    store = open_store(str(tmp_path / "store.db"), 100, 100, total_bytes=1 << 20)
    assert type(store) is SQLiteStore
    store.close()


def test_store_in_a_file_tells_why_rows_are_not_written(tmp_path):
    told = []
    store = open_store(str(tmp_path / "store.db"), tell=lambda event, **details: told.append((event, details)))
    timeline = store.timeline()
    timeline.keep(None, 0, 1, 7, b"row")
    timeline.take().failed(OSError(28, "No space left on device"))
    assert told == [("history_not_written", {"reason": "[Errno 28] No space left on device", "lost": 1})]
    store.close()


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(StoreError, match=r"pip install '\.\[postgres\]' in the checkout"):
        open_store("postgresql://a/b")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://u:pw@h:5/db?sslmode=require&password=pw", "postgresql://u@h:5/db"),
        ("postgres://h1,h2/db", "postgres://h1,h2/db"),
        ("postgresql:///db?host=/run/pg", "postgresql:///db"),
        ("postgresql://?host=/run&user=x&password=secret", "postgresql://"),
        ("postgresql://h?user=x&password=secret", "postgresql://h"),
        ("postgresql://u:se/cret@h/db", "postgresql://..."),
        ("postgresql://u:se#cret@h/db", "postgresql://..."),
        ("postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db"),
    ],
)
def test_address_is_shown_without_its_password(address, shown):
    assert is_postgres(address)
    assert shown_address(address) == shown


def test_list_of_databases_is_one_store_of_several(monkeypatch):
    made = []
    monkeypatch.setattr("server.stores.sharded.ShardedStore", lambda *args, **more: made.append((args, more)))
    urls = ["postgresql://u:pw@a/x", "postgresql://b/x"]
    open_store(urls, 1, 2, total_bytes=3)
    assert made == [((urls, 1, 2), {"tell": None, "name": None, "total_bytes": 3})]
    assert is_postgres(urls) and not is_postgres([*urls, "pb_link.db"])
    assert shown_address(urls) == "postgresql://u@a/x, postgresql://b/x"


def test_path_is_shown_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown_address("store.db") == str(tmp_path / "store.db")
