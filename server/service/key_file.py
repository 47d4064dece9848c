"""The key file, which `pb-link keys` changes and a running server follows."""

import contextlib
import json
import os
import secrets
import tempfile
from hashlib import sha256

from protocol.credentials import parse_id, parse_key
from server.core.keys import load_keys, load_repl
from server.core.shown import harmless, quoted

try:
    import fcntl
except ImportError:  # Windows: only one process may change it at a time
    fcntl = None


class KeyFile:
    """The file of keys. Every method reads the file again, and replaces it as a whole.

    Raises: ValueError that names the file or id and the remedy, OSError; none shows a key.
    """

    def __init__(self, path):
        self.path = str(path)

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

    def add(self, client_id, key=None, repl=None):
        """Returns the key of a new client, 64 hexadecimal digits. key: that which it has already, in the same form;
        repl: True: it allows the REPL."""
        with self._changing(client_id, repl) as keys:
            client_id = parse_id(client_id)
            if client_id in keys:
                name = quoted(client_id)
                raise ValueError(f"{harmless(client_id)} has a key: pb-link keys rotate {name} gives it another one")
            keys[client_id] = parse_key(key) if key else secrets.token_bytes(32)
            return keys[client_id].hex()

    def revoke(self, client_id):
        with self._changing() as keys:
            if keys.pop(client_id, None) is None:
                raise _unknown(client_id)

    def rotate(self, client_id, repl=None):
        """Returns the new key. The old one is valid until the new one has been used. repl: True or False: whether the
        client's keys allow the REPL from now on; None: as before."""
        with self._changing(client_id, repl) as keys:
            if client_id not in keys:
                raise _unknown(client_id)
            old = keys[client_id][0] if isinstance(keys[client_id], list) else keys[client_id]
            new = secrets.token_bytes(32)
            keys[client_id] = [old, new]
            return new.hex()

    def used(self, client_id, key):
        """Note that this key was used. If it is still the new one, the old one is removed."""
        with self._changing() as keys:
            found = keys.get(client_id)
            if isinstance(found, list) and found[1] == key:
                keys[client_id] = key

    @contextlib.contextmanager
    def _changing(self, client_id=None, repl=None):
        """Provide the keys to a `with` block, and write them back if it does not raise.

        repl: what is to be known of this client from now on, or None: as before."""
        folder = os.path.dirname(os.path.abspath(self.path))
        if not os.path.isdir(folder):
            raise ValueError(f"keys {self.path} cannot be made: there is no folder {folder}")
        with open(os.open(self.path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)) as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            keys, allowed = self.read(), self.repl()
            yield keys
            if repl is not None:
                allowed = allowed - {parse_id(client_id)} | ({parse_id(client_id)} if repl else set())
            self._write(keys, allowed)

    def _write(self, keys, allowed):
        """allowed: ids whose key allows the REPL."""
        shown = {client_id: _hex(key) for client_id, key in sorted(keys.items())}
        for client_id in allowed & keys.keys():
            shown[client_id] = {"key": shown[client_id], "repl": True}
        text = json.dumps(shown, indent=2, ensure_ascii=False)  # ids as they are: a server in MicroPython may read them
        write_private(self.path, text + "\n")


def write_private(path, text):
    """Replace the file as a whole, or not at all. Only its owner can read it. Raises: OSError."""
    folder = os.path.dirname(os.path.abspath(path))
    handle, name = tempfile.mkstemp(dir=folder, prefix=".keys-")  # readable by its owner alone
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def fingerprint(key):
    """Returns eight digits that distinguish keys and do not reveal them."""
    return sha256(b"pb_link fingerprint" + key).hexdigest()[:8]


def _hex(key):
    return [one.hex() for one in key] if isinstance(key, list) else key.hex()


def _unknown(client_id):
    name = quoted(client_id)
    return ValueError(
        f"{harmless(client_id)} has no key: pb-link keys list shows who has one, keys add {name} gives one"
    )
