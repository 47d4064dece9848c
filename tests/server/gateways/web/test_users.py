"""The file of users: what it holds, who may read it, and how a server follows it."""

import json
import os
import threading

import pytest

from server.gateways.web.users import COST, MAX_USERS, UserFile, Users
from tests.server.gateways.web.bed import CHEAP, PASSWORD


def file_with(tmp_path, *users):
    file = UserFile(tmp_path / "users.json", CHEAP)
    for name in users:
        file.add(name, "view", PASSWORD)
    return file


def test_file_is_for_its_owner_and_holds_no_password_and_no_token(tmp_path):
    file = file_with(tmp_path, "ann")
    token = file.add_token("cron", "send")
    assert os.stat(file.path).st_mode & 0o777 == 0o600
    text = (tmp_path / "users.json").read_text()
    assert PASSWORD not in text and token not in text
    assert {name: user.role for name, user in file.read().items()} == {"ann": "view", "cron": "send"}


def test_password_and_token_are_known_and_others_are_not(tmp_path):
    file = file_with(tmp_path, "ann")
    token = file.add_token("cron", "send")
    users = Users(file)
    users.all()
    assert users.of_password("ann", PASSWORD).name == "ann"
    assert users.of_token(token).name == "cron"
    for name, password in (("ann", PASSWORD + "x"), ("ann", ""), ("cron", token), ("cron", ""), ("bob", PASSWORD)):
        assert users.of_password(name, password) is None
    for wrong in ("", token[:-1], PASSWORD, "\ud800"):
        assert users.of_token(wrong) is None


def test_same_password_twice_looks_different(tmp_path):
    found = file_with(tmp_path, "ann", "bob").read()
    assert found["ann"].scrypt != found["bob"].scrypt


def test_cost_is_what_owasp_names(tmp_path):
    file = UserFile(tmp_path / "users.json")
    file.add("ann", "view", PASSWORD)
    users = Users(file)
    assert users.all()["ann"].scrypt[:3] == COST == (32768, 8, 3)
    assert users.of_password("ann", PASSWORD) is not None


def test_server_follows_the_file(tmp_path):
    file = file_with(tmp_path, "ann")
    users = Users(file)
    assert [*users.all()] == ["ann"]
    file.add("bob", "view", PASSWORD)
    file.remove("ann")
    assert [*users.all()] == ["bob"]


def test_file_that_cannot_be_read_leaves_the_users_and_is_told_once(tmp_path):
    told = []
    file = file_with(tmp_path, "ann")
    users = Users(file, told.append)
    users.all()
    (tmp_path / "users.json").write_text("{")
    assert [*users.all()] == [*users.all()] == ["ann"]
    assert len(told) == 1 and "is no file of users" in told[0]


def test_file_that_could_not_be_read_is_read_when_it_can_be(tmp_path, monkeypatch):
    def fails():
        raise OSError(24, "Too many open files")

    file, told = file_with(tmp_path, "ann", "bob"), []
    users = Users(file, told.append)
    assert [*users.all()] == ["ann", "bob"]
    file.remove("bob")
    os.chmod(file.path, 0o644)
    assert [*users.all()] == ["ann", "bob"] and "chmod 600" in told[0]
    os.chmod(file.path, 0o600)
    assert [*users.all()] == ["ann"]
    file.remove("ann")
    with monkeypatch.context() as patch:
        patch.setattr(file, "read", fails)
        assert [*users.all()] == [*users.all()] == ["ann"] and len(told) == 2
    assert [*users.all()] == []


@pytest.mark.parametrize(
    "entry",
    [
        None, [], {}, {"role": "root"}, {"role": "view"}, {"role": "view", "token_sha256": "ab"},
        {"role": "view", "token_sha256": 7}, {"role": "view", "scrypt": {"n": 1 << 40, "r": 8, "p": 1}},
        {"role": "view", "scrypt": {"n": 3, "r": 8, "p": 1, "salt": "", "hash": "ab" * 32}},
        {"role": "view", "scrypt": {"n": 2, "r": 8, "p": 1 << 20, "salt": "", "hash": "ab" * 32}},
    ],
    ids=str,
)  # fmt: skip
def test_file_of_something_else_is_refused_and_not_shown(tmp_path, entry):
    path = tmp_path / "users.json"
    path.write_text(json.dumps({"ann": entry, "secret": "hidden"}))
    path.chmod(0o600)
    with pytest.raises(ValueError, match="is no file of users") as error:
        UserFile(path).read()
    assert "hidden" not in str(error.value)


def test_file_that_others_can_read_is_refused(tmp_path):
    file = file_with(tmp_path, "ann")
    os.chmod(file.path, 0o640)
    with pytest.raises(ValueError, match="chmod 600"):
        file.read()


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 33, "ä", "<b>"])
def test_bad_name_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="no name of a user"):
        file_with(tmp_path, name)
    assert not (tmp_path / "users.json").exists()


def test_what_cannot_be_is_said(tmp_path):
    file = file_with(tmp_path, "ann")
    with pytest.raises(ValueError, match="web user remove ann first"):
        file.add("ann", "view", PASSWORD)
    with pytest.raises(ValueError, match="8 to 1024 characters"):
        file.add("bob", "view", "short")
    with pytest.raises(ValueError, match="no role"):
        file.add("bob", "root", PASSWORD)
    with pytest.raises(ValueError, match="there is no user 'bob'"):
        file.remove("bob")
    with pytest.raises(ValueError, match="there is no folder"):
        file_with(tmp_path / "none", "ann")
    assert [*file.read()] == ["ann"]


def test_number_of_users_is_bounded(tmp_path):
    file = file_with(tmp_path)
    entry = {"role": "view", "token_sha256": "ab" * 32}
    (tmp_path / "users.json").write_text(json.dumps({f"u{number}": entry for number in range(MAX_USERS)}))
    (tmp_path / "users.json").chmod(0o600)
    with pytest.raises(ValueError, match="no more are possible"):
        file.add("ann", "view", PASSWORD)


def test_changes_at_the_same_time_all_remain(tmp_path):
    file = file_with(tmp_path)
    threads = [threading.Thread(target=file.add_token, args=(f"u{number}", "view")) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(file.read()) == 8
