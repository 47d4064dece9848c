"""`pb-link restore`: whole or not at all, with nothing of the old store left beside the new one."""

import asyncio
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from protocol.errors import StoreError
from server.service.cli import main
from server.stores import restore as module
from server.stores.restore import finish, restore
from server.stores.sqlite import SQLiteStore
from server.stores.sqlite_file import SCHEMA_VERSION
from tests.server.store_calls import a_line
from tests.server.stores.old_formats import write_store


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def store_with(path, *lines):
    """A closed store whose client "a" has these lines to come."""

    async def main():
        store = SQLiteStore(path)
        owner = (await store.claim("a")).owner
        for line in lines:
            await store.put("a", owner, a_line(line))
        store.close()

    asyncio.run(main())
    return path


def lines_in(path, client_id="a"):
    async def main():
        store = SQLiteStore(path)
        state = await store.claim(client_id)
        store.close()
        return state.lines

    return asyncio.run(main())


def with_stale_wal(path, *lines):
    """The files of a store whose process was killed: the lines are in its `-wal` alone."""
    store_with("other.db")
    store = SQLiteStore("other.db")

    async def write():
        owner = (await store.claim("a")).owner
        for line in lines:
            await store.put("a", owner, a_line(line))

    asyncio.run(write())
    for end in ("", "-wal", "-shm"):
        shutil.copy("other.db" + end, path + end)
    store.close()
    assert os.path.getsize(path + "-wal") > 0


def test_store_is_what_the_back_up_has_and_the_old_one_is_kept():
    store_with("pb_link.db", b"old")
    store_with("copy.db", b"kept")
    assert restore("copy.db", "pb_link.db") == os.path.abspath("pb_link.db.replaced")
    assert lines_in("pb_link.db") == [b"kept"] and lines_in("pb_link.db.replaced") == [b"old"]
    assert os.stat("pb_link.db").st_mode & 0o777 == 0o600
    assert not [name for name in os.listdir() if "-restor" in name]


def test_stale_wal_and_shm_of_the_old_store_do_not_come_into_the_new_one():
    with_stale_wal("pb_link.db", b"old", b"older")
    store_with("copy.db", b"kept")
    restore("copy.db", "pb_link.db")
    assert lines_in("pb_link.db") == [b"kept"]
    assert lines_in("pb_link.db.replaced") == [b"old", b"older"]


def test_old_store_that_is_damaged_is_put_aside_with_its_wal():
    with_stale_wal("pb_link.db", b"old")
    Path("pb_link.db").write_bytes(b"damaged" * 1000)
    wal = Path("pb_link.db-wal").read_bytes()
    store_with("copy.db", b"kept")
    restore("copy.db", "pb_link.db")
    assert lines_in("pb_link.db") == [b"kept"]
    assert Path("pb_link.db.replaced").read_bytes() == b"damaged" * 1000
    assert Path("pb_link.db.replaced-wal").read_bytes() == wal


def test_back_up_made_of_the_files_of_a_store_is_restored_with_its_wal():
    with_stale_wal("copy.db", b"in the wal")
    assert restore("copy.db", "pb_link.db") is None
    assert lines_in("pb_link.db") == [b"in the wal"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the super-user may write anywhere")
def test_back_up_in_a_folder_that_cannot_be_written_is_restored():
    os.mkdir("safe")
    store_with("safe/copy.db", b"kept")
    os.chmod("safe", 0o500)
    try:
        restore("safe/copy.db", "pb_link.db")
    finally:
        os.chmod("safe", 0o700)
    assert lines_in("pb_link.db") == [b"kept"]


def test_store_that_a_server_has_is_not_replaced():
    store_with("copy.db", b"kept")
    store = SQLiteStore("pb_link.db")
    with pytest.raises(StoreError, match="in use by another server"):
        restore("copy.db", "pb_link.db")
    store.close()
    assert lines_in("pb_link.db") == []


def no_store(path):
    sqlite3.connect(path).execute("CREATE TABLE t (x)").connection.close()


def newer(path):
    store_with(path)
    sqlite3.connect(path).execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}").connection.close()


def damaged(path):
    store_with(path, *[bytes(3000)] * 10)
    content = bytearray(Path(path).read_bytes())
    content[5 * 4096 : 6 * 4096] = bytes(range(256)) * 16
    Path(path).write_bytes(content)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda path: None, "there is no file copy.db"),
        (lambda path: Path(path).write_bytes(b"text" * 2000), "copy.db cannot be restored"),
        (no_store, "copy.db is no store of pb_link"),
        (newer, "copy.db is of a newer pb_link"),
        (damaged, "copy.db is damaged|copy.db cannot be restored"),
    ],
    ids=["absent", "no database", "other program", "newer", "damaged"],
)
def test_bad_back_up_changes_nothing(make, error):
    store_with("pb_link.db", b"old")
    make("copy.db")
    before = sorted(name for name in os.listdir() if name != "pb_link.db-lock")
    with pytest.raises(StoreError, match=error):
        restore("copy.db", "pb_link.db")
    assert sorted(name for name in os.listdir() if name != "pb_link.db-lock") == before
    assert lines_in("pb_link.db") == [b"old"]


def test_store_is_no_back_up_of_itself():
    store_with("pb_link.db", b"old")
    with pytest.raises(StoreError, match="is the store itself"):
        restore("pb_link.db", "./pb_link.db")
    assert lines_in("pb_link.db") == [b"old"]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_older_back_up_is_brought_to_the_present_format(version):
    write_store("copy.db", version)
    restore("copy.db", "pb_link.db")
    assert lines_in("pb_link.db", "pump") == [b"down 1", b"down 2", b"down 3", "\u20ac".encode()]


class Died(BaseException):
    pass


def steps(monkeypatch, stop_before):
    """The process dies before its so-manieth change of the folder. Returns a function that says whether it did."""
    count = 0

    def counted(function):
        def step(*args):
            nonlocal count
            count += 1
            if count == stop_before:
                raise Died
            return function(*args)

        return step

    for name in ("replace", "unlink", "fsync"):
        monkeypatch.setattr(module.os, name, counted(getattr(os, name)))


def test_process_that_dies_in_a_restore_leaves_the_old_store_or_the_new_one(monkeypatch):
    seen = set()
    for stop_before in range(1, 40):
        for name in os.listdir():
            os.unlink(name)
        with_stale_wal("pb_link.db", b"old", b"older")
        store_with("copy.db", b"kept")
        with monkeypatch.context() as patch:
            steps(patch, stop_before)
            try:
                restore("copy.db", "pb_link.db")
                died = False
            except Died:
                died = True
        found = lines_in("pb_link.db")
        assert found in ([b"old", b"older"], [b"kept"])
        seen.add(tuple(found))
        if not died:
            break
    assert not died and len(seen) == 2


def test_second_restore_keeps_what_the_first_one_kept(capsys):
    store_with("copy.db", b"kept")
    for line in (b"first", b"second", b"third"):
        if os.path.exists("pb_link.db"):
            os.unlink("pb_link.db")
        store_with("pb_link.db", line)
        assert main(["restore", "copy.db"]) == 0
    assert capsys.readouterr().out.count("pb_link.db.replaced-2\n") == 1
    ends = ("", "-2", "-3")
    assert [lines_in(f"pb_link.db.replaced{end}") for end in ends] == [[b"first"], [b"second"], [b"third"]]


def test_name_beside_which_a_wal_was_left_is_not_used():
    """SQLite would take it for that of the store."""
    store_with("pb_link.db", b"old")
    store_with("copy.db", b"kept")
    Path("pb_link.db.replaced-wal").write_bytes(b"of another one")
    assert restore("copy.db", "pb_link.db").endswith(".replaced-2")
    assert lines_in("pb_link.db.replaced-2") == [b"old"]


def damaged_store_and_one_of_before():
    for name in os.listdir():
        os.unlink(name)
    store_with("copy.db", b"kept")
    with_stale_wal("pb_link.db", b"old")
    restore("copy.db", "pb_link.db")
    with_stale_wal("pb_link.db", b"newer")
    Path("pb_link.db").write_bytes(b"damaged" * 1000)
    return Path("pb_link.db-wal").read_bytes()


@pytest.mark.parametrize("again", range(1, 8))
def test_store_stays_with_its_wal_when_the_restore_is_cut_off_twice(again, monkeypatch):
    """The process dies at each step of the restore, and the one that finishes it dies at its step `again`."""
    replaced = 0
    for stop_before in range(1, 40):
        wal = damaged_store_and_one_of_before()
        died = []
        calls = (stop_before, lambda: restore("copy.db", "pb_link.db")), (again, lambda: finish("pb_link.db"))
        for stop, call in calls:
            with monkeypatch.context() as patch:
                steps(patch, stop)
                try:
                    call()
                except Died:
                    died.append(stop)
        finish("pb_link.db")
        assert lines_in("pb_link.db.replaced") == [b"old"]
        if Path("pb_link.db").read_bytes()[:7] != b"damaged":
            replaced += 1
            assert lines_in("pb_link.db") == [b"kept"]
            assert Path("pb_link.db.replaced-2").read_bytes() == b"damaged" * 1000
            assert Path("pb_link.db.replaced-2-wal").read_bytes() == wal
        else:
            assert Path("pb_link.db-wal").read_bytes() == wal and not os.path.exists("pb_link.db.replaced-2")
        assert not os.path.exists("pb_link.db.replaced-3")
        if stop_before not in died:
            break
    assert replaced > 3 and stop_before not in died


def test_restore_that_an_earlier_version_began_is_finished_without_a_note():
    with_stale_wal("pb_link.db.replaced", b"old")
    for end in ("-wal", "-shm"):
        os.rename("pb_link.db.replaced" + end, "pb_link.db" + end)
    store_with("pb_link.db-restoring", b"kept")
    assert lines_in("pb_link.db") == [b"kept"] and lines_in("pb_link.db.replaced") == [b"old"]


def test_command_says_what_is_where_and_what_is_wrong(capsys):
    store_with("pb_link.db", b"old")
    store_with("copy.db", b"kept")
    assert main(["restore", "copy.db"]) == 0
    assert "the old store is" in capsys.readouterr().out
    assert main(["restore", "nothing.db"]) == 1
    assert "there is no file nothing.db" in capsys.readouterr().err
    assert main(["restore", "copy.db", "--store", "new.db", "--json"]) == 0
    assert capsys.readouterr().out == '{"restored": "new.db", "replaced": null}\n'
