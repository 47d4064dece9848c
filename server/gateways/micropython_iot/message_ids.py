"""The memory of a micropython-iot client's message ids, so that a repeated message is delivered once.

The ids of its messages are stored as a note (core/store.py), each with the number of its line in the session. The note
is stored before the line. So the next process knows for every id whether its line is in the store. The ids from the
store's receive cursor on have no line there, and are forgotten.
"""

import json
from collections import deque
from hashlib import sha256

from protocol.lines import NUMBERS
from protocol.sequence import diff16

NAME = ""  # of the note: see core/notes.py
REMEMBERED_IDS = 100  # of 255: more than can be in flight, and fewer than until an id is reused


class Memory:
    """The ids that a client has used since its last start, the newest last."""

    def __init__(self, epoch):
        self.epoch = epoch  # of the client's half of the session, which the adapter has
        self.number = 0  # of the line that comes next
        self.first = None  # digest of message 0, while it may be repeated on the next connection
        self._ids = deque(maxlen=REMEMBERED_IDS)

    def __contains__(self, message_id):
        return message_id in self._ids

    def add(self, message_id):
        """Note that the message has become the next line."""
        self._ids.append(message_id)
        self.number = (self.number + 1) & NUMBERS

    def start(self, text):
        """Note that the client has started: message 0 with this text was received."""
        self._ids.clear()
        self.first = digest(text)

    def note(self, *adding):
        """Returns the text to keep in the store. adding: the id that will be added once the store has the text."""
        return json.dumps({
            "epoch": self.epoch.hex(),
            "number": (self.number + len(adding)) & NUMBERS,
            "ids": [*self._ids, *adding][-REMEMBERED_IDS:],
            "first": self.first and self.first.hex(),
        })  # fmt: skip

    def restore(self, note, state):
        """Restore the memory from its note and a ClientState, without the messages that are not in the store.

        Returns False if there is nothing to continue from. Then the epoch is a new one.
        """
        if not note:
            return False
        noted = json.loads(note)
        if state.peer_epoch is None or bytes.fromhex(noted["epoch"]) != state.peer_epoch:
            return False  # none of its lines is in the store
        missing = diff16(noted["number"], state.cursors[0])
        ids = noted["ids"][: max(0, len(noted["ids"]) - missing)]
        self.epoch = state.peer_epoch
        self.number = state.cursors[0]
        self.first = bytes.fromhex(noted["first"]) if noted["first"] and 0 in ids else None
        self._ids.extend(ids)
        return True


def digest(text):
    """Returns a short digest of a message, which may be long, to compare it with another one."""
    return sha256(text).digest()[:16]
