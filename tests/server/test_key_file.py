"""The key file: what the commands do to it; the old and the new key of a client; who fails too often."""

import asyncio
import os

import pytest

from server.guard import FIRST_S, FREE, LONGEST_S, Guard
from server.key_file import KeyFile, fingerprint
from server.keys import LIVES, Keys
from tests.server.peer import KEY, OTHER_KEY, Client, Service, within


def test_keys_are_added_rotated_and_revoked():
    file = KeyFile("keys.json")
    first, second = file.add("a"), file.add("b")
    assert file.read() == {"a": bytes.fromhex(first), "b": bytes.fromhex(second)}
    new = file.rotate("a")
    assert file.read()["a"] == [bytes.fromhex(first), bytes.fromhex(new)]
    newer = file.rotate("a")  # the new one was not used
    assert file.read()["a"] == [bytes.fromhex(first), bytes.fromhex(newer)]
    file.used("a")
    file.revoke("b")
    assert file.read() == {"a": bytes.fromhex(newer)}


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


def test_old_key_is_good_until_the_new_one_has_been_used():
    async def main():
        used = []
        keys = Keys({"a": [KEY, OTHER_KEY]})
        keys.on_used = used.append
        async with Service(keys) as service:
            client = Client(service.port)
            for _ in range(2):
                await within(client.connect())
            assert used == []
            new = Client(service.port, key=OTHER_KEY)
            assert "another key" in await new.refused()  # whose turn it was not
            await within(new.connect())
            assert used == ["a"] and keys.choose("a", b"any") == OTHER_KEY
            for _ in range(2):
                assert "another key" in await Client(service.port).refused()

    asyncio.run(main())


def rotated():
    return Keys({"a": [KEY, OTHER_KEY]})


def tried(keys, life, key):
    """Returns how often a client of this life that has this key is refused before it is let in."""
    for count in range(10):
        if keys.choose("a", life) == key:
            keys.proved("a", key, life)
            return count
        keys.failed("a", keys.choose("a", life), life)


@pytest.mark.parametrize("others", [0, 1, 2, 7, 14])
@pytest.mark.parametrize("key", [KEY, OTHER_KEY], ids=["old", "new"])
def test_life_is_refused_once_at_most_whatever_others_do_in_its_name(others, key):
    for before in range(4):
        keys = rotated()
        for number in range(before):
            keys.failed("a", keys.choose("a", b"%d" % number), b"%d" % number)
        refusals = 0
        while keys.choose("a", b"life") != key:
            refusals += 1
            keys.failed("a", keys.choose("a", b"life"), b"life")
            for number in range(others):
                keys.failed("a", keys.choose("a", b"other %d" % number), b"other %d" % number)
        assert refusals <= 1


def test_life_that_has_proved_the_old_key_is_never_refused():
    keys = rotated()
    assert tried(keys, b"life", KEY) == 0
    for number in range(1000):
        keys.failed("a", keys.choose("a", b"%d" % number), b"%d" % number)
        assert keys.choose("a", b"life") == KEY
    keys.replace({"a": [KEY, OTHER_KEY], "b": KEY})
    assert keys.choose("a", b"life") == KEY


def test_client_that_is_another_life_each_time_is_refused_once():
    keys = rotated()
    for number in range(5):
        tried(keys, b"life", KEY)
        assert keys.choose("a", b"%d" % number) == KEY
        keys.failed("a", KEY, b"%d" % number)
        assert keys.choose("a", b"next %d" % number) == OTHER_KEY


def test_what_is_remembered_of_lives_is_bounded():
    keys = rotated()
    for number in range(1000):
        keys.failed("a", KEY, b"%d" % number)
    assert len(keys._turns["a"]._lives) == LIVES
    keys.proved("a", OTHER_KEY, b"x")
    assert not keys._turns and keys.choose("a", b"any") == OTHER_KEY


def test_keys_that_are_replaced_say_whose_connections_end():
    keys = Keys({"same": KEY, "gone": KEY, "other": KEY, "rotated": KEY, "ended": [KEY, OTHER_KEY]})
    gone = keys.replace({"same": KEY, "other": OTHER_KEY, "rotated": [KEY, OTHER_KEY], "ended": OTHER_KEY})
    assert sorted(gone) == ["gone", "other"] and "gone" not in keys


def test_who_fails_again_and_again_waits_longer_and_longer():
    now = 0.0
    guard = Guard(lambda: now)
    waits = []
    for _ in range(FREE + 12):
        assert not guard.keeps_out("x")
        guard.failed("x")
        begin = now
        while guard.keeps_out("x"):
            now += FIRST_S
        waits.append(now - begin)
    assert waits[:FREE] == [0.0] * FREE and waits[FREE : FREE + 3] == [0.5, 1.0, 2.0] and waits[-1] == LONGEST_S
    assert not guard.keeps_out("y")
    guard.failed("x")
    guard.succeeded("x")
    assert not guard.keeps_out("x")


def test_guard_remembers_a_bounded_number_of_addresses():
    guard = Guard()
    for number in range(5000):
        guard.failed(number)
    assert len(guard._failures) == 1024
