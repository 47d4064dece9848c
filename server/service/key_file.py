"""The key file, which `pb-link keys` changes and a running server follows."""

import asyncio
import contextlib
import json
import os
import stat
from hashlib import sha256

from protocol.credentials import parse_id
from server.core.keys import load_keys, load_repl
from server.core.shown import quoted
from server.gateways import private_file
from server.gateways.private_file import write_private
from server.service import key_changes

_LOOK_S = 1.0  # how often a server looks whether the file has changed


class KeyFile:
    """The file of keys. Every method reads the file again, and replaces it as a whole.

    Raises: ValueError that names the file or id and the remedy, OSError; none shows a key.
    """

    def __init__(self, path):
        self.path = self.where = str(path)

    def read(self):
        """Returns a dict from id to key (bytes), or to [old, new]; empty if there is no file."""
        return load_keys(self._source())

    def repl(self):
        """Returns the set of the ids whose key allows the REPL."""
        return load_repl(self._source())

    def _source(self):
        """Returns what load_keys takes."""
        try:
            mode = os.stat(self.path).st_mode
        except FileNotFoundError:
            return {}
        if not stat.S_ISREG(mode):  # to open a FIFO would wait for its writer
            raise ValueError(f"keys {self.path} is no file")
        if os.name == "posix" and mode & 0o077:
            raise ValueError(f"others can read the keys in {self.path}: chmod 600 {quoted(self.path)}")
        return self.path

    def stamp(self):
        """Returns something that changes when the file does."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino

    async def next_look(self):
        """Return when it is time to look at the stamp again."""
        await asyncio.sleep(_LOOK_S)

    def add(self, client_id, key=None, repl=None):
        """Returns the key of a new client, 64 hexadecimal digits. key: that which it has already, in the same form;
        repl: True: it allows the REPL."""
        return key_changes.newest(self._change(client_id, key_changes.added, key, repl))

    def revoke(self, client_id):
        self._change(client_id, key_changes.revoked)

    def rotate(self, client_id, repl=None):
        """Returns the new key. The old one is valid until the new one has been used. repl: True or False: whether the
        client's keys allow the REPL from now on; None: as before."""
        return key_changes.newest(self._change(client_id, key_changes.rotated, repl))

    def used(self, client_id, key):
        """Note that this key was used. If it is still the new one, the old one is removed."""
        self._change(client_id, key_changes.used, key)

    def add_all(self, entries):
        """Add the keys of these clients, all or none. Returns how many were not there yet. entries: {id: Entry}."""
        with self._changing() as there:
            new = key_changes.missing(there, entries)
            there.update(new)
        return len(new)

    def _change(self, client_id, function, *args):
        """Change the Entry of a client by a function of key_changes. Returns what it is then."""
        with self._changing() as entries:
            client_id = parse_id(client_id)
            entry = function(client_id, entries.pop(client_id, None), *args)
            if entry is not None:
                entries[client_id] = entry
        return entry

    @contextlib.contextmanager
    def _changing(self):
        """Provide the entries, {id: Entry}, to a `with` block, and write them back if it does not raise."""
        folder = os.path.dirname(os.path.abspath(self.path))
        if not os.path.isdir(folder):
            raise ValueError(f"keys {self.path} cannot be made: there is no folder {folder}")
        with private_file.open_lock(self.path) as file:
            private_file.lock(file)
            entries = key_changes.entries(self.read(), self.repl())
            yield entries
            self._write(entries)

    def _write(self, entries):
        shown = {}
        for client_id, (key, repl) in sorted(entries.items()):
            shown[client_id] = {"key": _hex(key), "repl": True} if repl else _hex(key)
        text = json.dumps(shown, indent=2, ensure_ascii=False)  # ids as they are: a server in MicroPython may read them
        write_private(self.path, text + "\n")


def fingerprint(key):
    """Returns eight digits that distinguish keys and do not reveal them."""
    return sha256(b"pb_link fingerprint" + key).hexdigest()[:8]


def _hex(key):
    return [one.hex() for one in key] if isinstance(key, list) else key.hex()
