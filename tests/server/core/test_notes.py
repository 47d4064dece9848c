"""The notes of several adapters in one text."""

import asyncio

import pytest

from server import MemoryStore
from server.core.notes import Notes, join_notes, split_notes


def test_each_adapter_has_a_note_of_its_own_and_the_nameless_one_of_older_versions():
    async def main():
        store = MemoryStore()
        old = await store.claim("a")
        store.note("a", old.owner, '{"as": "before"}')
        first = Notes(store, "a", await store.claim("a"))
        assert first.get("") == '{"as": "before"}' and first.get("mqtt") == ""
        first.put("mqtt", "[1, 2]")
        first.put("", "newer")
        again = Notes(store, "a", await store.claim("a"))
        assert (again.get("mqtt"), again.get("")) == ("[1, 2]", "newer")
        again.put("mqtt", "")
        assert (await store.claim("a")).note == "newer"

    asyncio.run(main())


@pytest.mark.parametrize("notes", [{}, {"": "x"}, {"b": "y z "}, {"": "", "a": "1", "b": "2"}])
def test_notes_are_what_they_were_after_the_store(notes):
    assert split_notes(join_notes(notes)) == {"": "", **notes}


@pytest.mark.parametrize("notes", [{"": "two\nlines"}, {"two words": "x"}, {"two\nlines": "x"}])
def test_note_that_is_not_one_line_is_an_error_and_changes_nothing(notes):
    async def main():
        store = MemoryStore()
        found = Notes(store, "a", await store.claim("a"))
        found.put("", "kept")
        with pytest.raises(ValueError, match="a note is one line"):
            found.put(*next(iter(notes.items())))
        assert found.get("") == "kept" and (await store.claim("a")).note == "kept"

    asyncio.run(main())
