"""Keys that go with a store to the first database of its new list: none is lost, replaced or given to another store."""

import pytest

from protocol.errors import StoreError
from server.stores import moved_keys, moving, postgres_admin, postgres_keys
from tests.server.sharded_bed import Shards

OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32
KEYS = {"a": (OLD, False), "b": ([OLD, NEW], False), "c": (NEW, True)}


@pytest.fixture
def shards():
    """A and B are a store. C has tables, and is one of its own."""
    found = Shards(3, made=2)
    yield found
    found.close()


def add(shards, at, entries=KEYS):
    postgres_admin.add_keys(shards.urls[at], lambda there: entries, shards.schema)


def keys(shards):
    """Returns the keys in each database."""
    found = [postgres_admin.keys(url, shards.schema) for url in shards.urls]
    return [{one: (key, one in repl) for one, key in by_id.items()} for _, by_id, repl in found]


def move(shards, targets, sources=(0, 1)):
    urls = [[shards.urls[at] for at in some] for some in (sources, targets)]
    return moving.move(*urls, shards.schema)


@pytest.mark.parametrize("targets", [(2, 0, 1), (1,), (2,), (1, 2)])
def test_keys_are_in_the_first_database_of_the_new_list_alone(shards, targets):
    add(shards, 0)
    assert move(shards, targets) == (0, 0, len(KEYS))
    assert keys(shards) == [KEYS if at == targets[0] else {} for at in range(3)]


def test_keys_stay_where_the_first_database_stays(shards):
    add(shards, 0)
    stamp = postgres_admin.keys(shards.urls[0], shards.schema)[0]
    assert move(shards, (0, 1, 2)) == (0, 0, 0)
    assert keys(shards) == [KEYS, {}, {}]
    assert postgres_admin.keys(shards.urls[0], shards.schema)[0] == stamp  # no server has to read them again


def test_keys_that_were_copied_before_are_the_same(shards):
    """A rotation has ended in one of the two since."""
    add(shards, 0)
    add(shards, 2, {"a": (OLD, False), "b": (NEW, False)})
    assert move(shards, (2,))[2] == 1
    assert keys(shards)[2] == {**KEYS, "b": (NEW, False)} and keys(shards)[:2] == [{}, {}]


REFUSED = {
    "another key": ({0: {"a": (OLD, False)}, 2: {"a": (OTHER, False)}}, "a has different keys in"),
    "another permission": ({0: {"a": (OLD, False)}, 1: {"a": (OLD, True)}}, "a has different keys in"),
    "another rotation": ({0: {"a": ([OLD, NEW], False)}, 1: {"a": ([OLD, OTHER], False)}}, "a has different keys in"),
    "a stranger, and no key": ({2: {"b": (OTHER, False)}}, "has a key of b, which the store lacks"),
    "a stranger": ({0: {"a": (OLD, False)}, 2: {"b": (OTHER, False)}}, "has a key of b, which the store lacks"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_keys_that_contradict_each_other_are_refused_before_anything_is_done(shards, name):
    there, text = REFUSED[name]
    for at, entries in there.items():
        add(shards, at, entries)
    with pytest.raises(StoreError, match=text) as caught:
        move(shards, (2,))
    assert not any(chr(one[0]) * 32 in str(caught.value) or one.hex() in str(caught.value) for one in (OLD, NEW, OTHER))
    assert keys(shards) == [there.get(at, {}) for at in range(3)]
    shards.open(urls=shards.urls[:2])  # it is the store that it was


def test_rotation_that_ends_while_the_keys_are_copied_has_ended(shards, monkeypatch):
    add(shards, 0)
    remove, ended = postgres_keys.remove, []

    async def late(connection, schema, entries):
        if not ended:
            ended.append(await postgres_keys.change(connection, schema, "b", lambda before: (NEW, False)))
        await remove(connection, schema, entries)

    monkeypatch.setattr(postgres_keys, "remove", late)
    assert move(shards, (2,))[2] == len(KEYS)
    assert ended and keys(shards) == [{}, {}, {**KEYS, "b": (NEW, False)}]


def test_keys_that_somebody_goes_on_adding_end_the_move_and_it_is_run_again(shards, monkeypatch):
    add(shards, 0)
    with monkeypatch.context() as patch:
        remove, added = postgres_keys.remove, []

        async def late(connection, schema, entries):
            await remove(connection, schema, entries)
            added.append(f"new {len(added)}")
            await postgres_keys.change(connection, schema, added[-1], lambda before: (OTHER, False))

        patch.setattr(postgres_keys, "remove", late)
        with pytest.raises(StoreError, match="are being changed: end all servers"):
            move(shards, (2,))
        assert len(added) == moved_keys.ROUNDS
    assert move(shards, (2,))[2] == 1
    assert keys(shards) == [{}, {}, {**KEYS, **{name: (OTHER, False) for name in added}}]


def test_key_that_cannot_be_read_ends_the_move_before_anything_is_done(shards):
    add(shards, 0)
    shards.rows(0, "UPDATE {schema}.client_key SET key = 'short' WHERE id = 'a'")
    with pytest.raises(StoreError, match="key of a in the database"):
        move(shards, (2,))
    assert shards.rows(2, "SELECT * FROM {schema}.client_key") == []
    shards.open(urls=shards.urls[:2])
