"""The notes of several adapters in the one note (a text) that the store keeps for a client: see core/store.py.

The first line is the note of the adapter without a name. Each other line is NAME, a blank, and that adapter's note.
Older versions stored the first line alone.
"""


class Notes:
    """The notes of one client's adapters, from a newly claimed state on. A name is one word, a note one line."""

    def __init__(self, store, client_id, state):
        self._store = store
        self._client_id = client_id
        self._owner = state.owner
        self._notes = split_notes(state.note)

    def get(self, name):
        """Returns the note of this adapter, "" if there is none."""
        return self._notes.get(name, "")

    def put(self, name, note, at_once=False):
        """Store a note, as the store's method `note` does. Raises: ValueError: it is not one line; StoreError."""
        notes = dict(self._notes)
        notes[name] = note
        joined = join_notes(notes)
        self._notes = notes
        self._store.note(self._client_id, self._owner, joined, at_once)


def split_notes(text):
    """Returns a dict from the name of each adapter to its note. "" is the adapter without a name."""
    first, *named = text.split("\n")
    notes = {"": first}
    for line in named:
        name, _, note = line.partition(" ")
        notes[name] = note
    return notes


def join_notes(notes):
    """Returns the text for the store. Raises: ValueError: a note has a newline, or a name a newline or a blank."""
    for name, note in notes.items():
        if "\n" in name + note or " " in name:
            raise ValueError("a note is one line, and a name one word: %r" % name)
    named = ["%s %s" % (name, notes[name]) for name in sorted(notes) if name and notes[name]]
    return "\n".join([notes.get("", "")] + named)
