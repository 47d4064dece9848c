"""Root works on files of the server's user: what it makes belongs to that user."""

import os
from pathlib import Path

import pytest

from server import SQLiteStore, file_owner
from server.file_owner import keep_owner, make_private
from server.gateways.web.users import UserFile
from server.service.cli import main
from server.service.key_file import KeyFile
from server.stores.restore import restore

USER, GROUP, OTHER = 12345, 12346, 12347

as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files to other users"
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The current folder. It belongs to the server's user, where the tests are run by root."""
    place = tmp_path / "server"
    place.mkdir()
    monkeypatch.chdir(place)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.chown(place, USER, GROUP)


def owners():
    return {path.name: (path.stat().st_uid, path.stat().st_gid) for path in Path().iterdir()}


@as_root
def test_all_files_of_init_keys_users_and_store_belong_to_the_user_of_the_folder():
    assert main(["init", "pump"]) == 0
    assert main(["keys", "add", "valve", "--settings", "valve.json"]) == 0
    UserFile("users.json", cost=(2, 1, 1)).add("ann", "view", "password")
    SQLiteStore("pb_link.db").close()
    found = owners()
    assert set(found.values()) == {(USER, GROUP)}
    assert {"keys.json", "keys.json.lock", "users.json.lock", "pb_link.db", "pb_link.db-lock"} <= set(found)


@as_root
def test_file_that_is_replaced_keeps_its_owner_whoever_has_the_folder():
    KeyFile("keys.json").add("pump")
    SQLiteStore("pb_link.db").close()
    SQLiteStore("copy.db").close()
    for name in ("keys.json", "pb_link.db"):
        os.chown(name, OTHER, OTHER)
    os.unlink("keys.json.lock")
    KeyFile("keys.json").add("valve")
    restore("copy.db", "pb_link.db")
    found = owners()
    assert {found[name] for name in ("keys.json", "keys.json.lock", "pb_link.db")} == {(OTHER, OTHER)}
    assert os.stat("keys.json").st_mode & 0o777 == os.stat("pb_link.db").st_mode & 0o777 == 0o600


@as_root
def test_file_that_was_there_is_never_given_away():
    """A user could put a link to a file of root in the place of a lock file."""
    Path("lock").touch()
    assert make_private("lock") is False and owners()["lock"] == (0, 0)


def test_other_users_and_a_root_that_may_not_go_on_as_before(monkeypatch):
    calls = []

    def refused(*args):
        calls.append(args)
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(file_owner.os, "fchown", refused, raising=False)
    monkeypatch.setattr(file_owner.os, "geteuid", lambda: 1000, raising=False)
    assert make_private("one") and calls == []
    monkeypatch.setattr(file_owner.os, "geteuid", lambda: 0, raising=False)
    with open("two", "w") as file:
        keep_owner(file.fileno(), "one")
        found = os.stat("one")
        assert calls == [(file.fileno(), found.st_uid, found.st_gid)]
