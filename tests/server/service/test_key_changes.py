"""What may be done to a key, whatever it is kept in. The file: test_key_file.py; the table: test_key_table.py."""

import pytest

from server.service import key_changes
from server.service.key_changes import Entry
from tests.server.peer import KEY, OTHER_KEY


def test_new_client_has_a_new_key_or_the_one_that_it_has_already():
    one, two = (key_changes.added("a", None) for _ in range(2))
    assert one.key != two.key and len(one.key) == 32 and one.repl is False
    assert key_changes.added("a", None, KEY.hex(), True) == Entry(KEY, True)
    assert key_changes.newest(Entry(KEY, True)) == KEY.hex()
    with pytest.raises(ValueError, match="a has a key: pb-link keys rotate a"):
        key_changes.added("a", one)


@pytest.mark.parametrize("key", [KEY, [KEY, OTHER_KEY]])
def test_rotation_keeps_the_key_that_is_used_until_the_newest_one_is(key):
    entry = key_changes.rotated("a", Entry(key, True))
    assert entry.key[0] == KEY and entry.key[1] not in (KEY, OTHER_KEY) and entry.repl
    assert key_changes.newest(entry) == entry.key[1].hex()
    for other in (KEY, OTHER_KEY):
        assert key_changes.used("a", entry, other) == entry
    assert key_changes.used("a", entry, entry.key[1]) == Entry(entry.key[1], True)
    assert key_changes.rotated("a", entry, False).repl is False


def test_client_without_a_key_is_an_error_that_says_how_it_gets_one():
    for change in (key_changes.rotated, key_changes.revoked):
        with pytest.raises(ValueError, match="'a b' gives one"):
            change("a b", None)
    assert key_changes.revoked("a", Entry(KEY, False)) is key_changes.used("a", None, KEY) is None


def test_copy_adds_what_is_missing_or_nothing():
    there = key_changes.entries({"a": KEY, "b": [KEY, OTHER_KEY]}, {"a"})
    assert there == {"a": Entry(KEY, True), "b": Entry([KEY, OTHER_KEY], False)}
    new = {"c": Entry(OTHER_KEY, False)}
    assert key_changes.missing(there, there | new) == new
    for wrong in (Entry(OTHER_KEY, True), Entry(KEY, False), Entry([KEY, OTHER_KEY], True)):
        with pytest.raises(ValueError, match="1 clients have another key there.*: a. Nothing was copied") as caught:
            key_changes.missing(there, {**new, "a": wrong})
        assert KEY.hex() not in str(caught.value)
