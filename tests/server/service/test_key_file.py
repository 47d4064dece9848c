"""The key file: what the commands do to it."""

import json
import os
from types import SimpleNamespace

import pytest

from server.gateways import private_file
from server.service.key_file import KeyFile, fingerprint
from tests.server.peer import KEY, OTHER_KEY


def test_keys_are_added_rotated_and_revoked():
    file = KeyFile("keys.json")
    first, second = file.add("a"), file.add("b")
    assert file.read() == {"a": bytes.fromhex(first), "b": bytes.fromhex(second)}
    new = file.rotate("a")
    assert file.read()["a"] == [bytes.fromhex(first), bytes.fromhex(new)]
    newer = file.rotate("a")  # the new one was not used
    assert file.read()["a"] == [bytes.fromhex(first), bytes.fromhex(newer)]
    file.used("a", bytes.fromhex(newer))
    file.revoke("b")
    assert file.read() == {"a": bytes.fromhex(newer)}


def test_use_of_a_key_that_is_not_the_new_one_any_more_ends_no_other():
    """`rotate` was called again before the server, which had the new key of the first time, read the file."""
    file = KeyFile("keys.json")
    old = file.add("a")
    new = file.rotate("a")
    newer = file.rotate("a")
    for key in (new, old):
        file.used("a", bytes.fromhex(key))
        assert file.read()["a"] == [bytes.fromhex(old), bytes.fromhex(newer)]


@pytest.mark.parametrize("what", ["add", "revoke", "rotate"])
def test_wrong_id_is_an_error_that_names_it_and_the_remedy(what):
    file = KeyFile("keys.json")
    if what == "add":
        file.add("pump")
    with pytest.raises(ValueError, match="pump.*pb-link keys"):
        getattr(file, what)("pump")


def test_file_is_for_its_owner_alone():
    file = KeyFile("keys.json")
    file.add("a")
    assert os.stat("keys.json").st_mode & 0o077 == 0
    os.chmod("keys.json", 0o640)
    with pytest.raises(ValueError, match="chmod 600 keys.json"):
        file.read()


def test_fingerprint_tells_keys_apart_and_gives_none_away():
    assert fingerprint(KEY) != fingerprint(OTHER_KEY) and KEY.hex()[:8] not in fingerprint(KEY)


def test_command_that_is_shown_can_be_copied_and_no_id_is_shown_raw():
    file = KeyFile("my keys.json")
    file.add("a; b")
    with pytest.raises(ValueError, match="keys rotate 'a; b' gives"):
        file.add("a; b")
    with pytest.raises(ValueError, match=r"^\\x1bc has no key"):
        file.revoke("\x1bc")
    os.chmod("my keys.json", 0o640)
    with pytest.raises(ValueError, match="chmod 600 'my keys.json'"):
        file.read()


def test_key_file_in_an_absent_folder_is_an_error_that_names_the_folder(tmp_path):
    with pytest.raises(ValueError, match=f"there is no folder {tmp_path}/absent$"):
        KeyFile(tmp_path / "absent" / "keys.json").add("pump")


def test_permission_for_the_repl_is_of_the_client_and_survives_other_changes(tmp_path):
    file = KeyFile(tmp_path / "keys.json")
    first = file.add("pump", repl=True)
    file.add("valve")
    assert file.repl() == {"pump"}
    assert json.loads((tmp_path / "keys.json").read_text())["pump"] == {"key": first, "repl": True}
    second = bytes.fromhex(file.rotate("pump"))
    assert file.repl() == {"pump"} and file.read()["pump"] == [bytes.fromhex(first), second]
    file.used("pump", second)
    assert file.repl() == {"pump"} and file.read()["pump"] == second
    file.rotate("valve", repl=True)
    file.rotate("pump", repl=False)
    assert file.repl() == {"valve"}
    file.revoke("valve")
    file.add("valve")
    assert file.repl() == set()


@pytest.mark.skipif(os.name != "posix", reason="symbolic links are not for everybody elsewhere")
def test_symbolic_link_stays_and_the_file_that_it_names_is_replaced(tmp_path):
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    KeyFile(secrets / "keys.json").add("pump")
    link = tmp_path / "keys.json"
    link.symlink_to("secrets/keys.json")
    KeyFile(link).add("valve")
    assert link.is_symlink() and set(KeyFile(secrets / "keys.json").read()) == {"pump", "valve"}
    assert sorted(path.name for path in secrets.iterdir()) == ["keys.json", "keys.json.lock"]


def test_lock_without_fcntl_is_that_of_windows(tmp_path, monkeypatch):
    calls = []
    windows = SimpleNamespace(LK_LOCK=1, locking=lambda number, mode, size: calls.append((number, mode, size)))
    monkeypatch.setattr(private_file, "fcntl", None)
    monkeypatch.setattr(private_file, "msvcrt", windows, raising=False)
    with open(tmp_path / "lock", "w") as file:
        private_file.lock(file)
        assert calls == [(file.fileno(), 1, 1)]
