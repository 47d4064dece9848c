"""The file of the users of the web page, which `pb-link web user` changes and a running server follows.

    {"ann": {"role": "send", "scrypt": {"n": 32768, "r": 8, "p": 3, "salt": "..", "hash": ".."}},
     "cron": {"role": "view", "token_sha256": ".."}}

A user has a password, for the page, or a token, for scripts. The file has neither: of a password it has what scrypt
(RFC 7914) makes of it, of a token, which nobody can guess, its SHA-256.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
from collections import namedtuple

from server.core.shown import quoted
from server.gateways import private_file
from server.gateways.private_file import write_private
from server.gateways.web.roles import ROLES

MIN_PASSWORD, MAX_PASSWORD = 8, 1024  # characters
MAX_USERS = 200
MAX_FILE = 1 << 20
NAME_RULE = "1 to 32 letters, digits and ._-"
# n, r, p: 128 * n * r = 32 MiB, and some 0.3 s of a processor. One of the settings that OWASP's "Password Storage Cheat
# Sheet" counts as equal.
COST = (1 << 15, 8, 3)
_MAX_MEMORY = 128 << 20  # of one check, whatever the file says
_MAX_P = 16
_SALT_BYTES, _HASH_BYTES, _TOKEN_BYTES = 16, 32, 32
_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")
_HEX = re.compile(r"([0-9a-f]{2})+")

# scrypt: (n, r, p, salt, hash) or None; token: SHA-256 (bytes) or None.
User = namedtuple("User", "name role scrypt token")


class UserFile:
    """The file. Every method reads it again. Args: path; cost: (n, r, p) of the passwords that are set from now on.

    Raises: ValueError that names the file or the user and the remedy, OSError; none shows a password or a token."""

    def __init__(self, path, cost=COST):
        self.path = str(path)
        self._cost = cost

    def stamp(self):
        """Returns something that changes when the file does."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ctime_ns, found.st_ino  # ctime: of a chmod

    def read(self):
        """Returns a dict from name to User; empty if there is no file."""
        try:
            with open(self.path, "rb") as file:
                mode, data = os.fstat(file.fileno()).st_mode, file.read(MAX_FILE + 1)
        except FileNotFoundError:
            return {}
        if os.name == "posix" and mode & 0o077:
            raise ValueError(f"others can read the users in {self.path}: chmod 600 {quoted(self.path)}")
        try:
            found = json.loads(data[:MAX_FILE])
            return {name: _parsed(name, entry) for name, entry in found.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ValueError(f"{self.path} is no file of users: pb-link web user add makes one") from None

    def add(self, name, role, password):
        """Add a user with a password."""
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise ValueError(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
        salt = secrets.token_bytes(_SALT_BYTES)
        self._add(User(name, role, (*self._cost, salt, _scrypt(password, *self._cost, salt)), None))

    def add_token(self, name, role):
        """Add a user with a token. Returns the token (str), which is in no file."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._add(User(name, role, None, _digest(token)))
        return token

    def _add(self, user):
        if not _NAME.fullmatch(user.name):
            raise ValueError(f"{user.name!r} is no name of a user: it has {NAME_RULE}")
        if user.role not in ROLES:
            raise ValueError(f"{user.role!r} is no role: there are {', '.join(ROLES)}")
        with self._changing() as users:
            if user.name in users:
                raise ValueError(f"there is a user {user.name}: pb-link web user remove {quoted(user.name)} first")
            if len(users) >= MAX_USERS:
                raise ValueError(f"there are {MAX_USERS} users, and no more are possible: remove one first")
            users[user.name] = user

    def remove(self, name):
        """Remove a user. A running server ends its sessions."""
        with self._changing() as users:
            if users.pop(name, None) is None:
                raise ValueError(f"there is no user {name!r}: pb-link web user list shows those there are")

    @contextlib.contextmanager
    def _changing(self):
        folder = os.path.dirname(os.path.abspath(self.path))
        if not os.path.isdir(folder):
            raise ValueError(f"users {self.path} cannot be made: there is no folder {folder}")
        with private_file.open_lock(self.path) as file:
            private_file.lock(file)
            users = self.read()
            yield users
            write_private(self.path, json.dumps({name: _shown(users[name]) for name in sorted(users)}, indent=2) + "\n")


class Users:
    """The users as a running server has them: the file is read again when it has changed.

    Args: file: UserFile; unreadable: function (text) that is told why it cannot be read; those known stay valid."""

    def __init__(self, file, unreadable=lambda text: None):
        self._file = file
        self._unreadable = unreadable
        self._stamp = None  # of the file when it was read
        self._fault = None  # why it could not be read, told once
        self._users = {}
        self._tokens = {}  # SHA-256 -> User
        # What the password of a user who is not there is compared with, so that the answer takes as long.
        self._nobody = (*COST, bytes(_SALT_BYTES), bytes(_HASH_BYTES))

    def all(self):
        """Returns a dict from name to User."""
        try:
            stamp = self._file.stamp()
            if stamp != self._stamp:
                self._users = self._file.read()
                self._stamp, self._fault = stamp, None
                self._tokens = {user.token: user for user in self._users.values() if user.token}
                known = [user.scrypt for user in self._users.values() if user.scrypt]
                self._nobody = (*known[0][:3], *self._nobody[3:]) if known else self._nobody
        except (OSError, ValueError) as error:
            if str(error) != self._fault:
                self._fault = str(error)
                self._unreadable(self._fault)
        return self._users

    def of_password(self, name, password):
        """Returns the User, or None. It takes some 0.3 s of a processor: call it in a thread."""
        user = self._users.get(name)
        n, r, p, salt, right = user.scrypt if user and user.scrypt else self._nobody
        same = hmac.compare_digest(_scrypt(password[:MAX_PASSWORD], n, r, p, salt), right)
        return user if same and user is not None and user.scrypt else None

    def of_token(self, token):
        """Returns the User, or None."""
        self.all()
        return self._tokens.get(_digest(token))  # of a digest, so the time that it takes tells nothing of the token


def _scrypt(password, n, r, p, salt):
    data = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(data, salt=salt, n=n, r=r, p=p, maxmem=2 * _MAX_MEMORY, dklen=_HASH_BYTES)


def _digest(token):
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _parsed(name, entry):
    """Returns the User of an entry of the file. Raises: ValueError, KeyError, TypeError, AttributeError."""
    if not _NAME.fullmatch(name) or entry["role"] not in ROLES:
        raise ValueError(name)
    if "token_sha256" in entry:
        return User(name, entry["role"], None, _bytes(entry["token_sha256"], 32))
    found = entry["scrypt"]
    n, r, p = (int(found[part]) for part in "nrp")
    if not (1 < n and n & (n - 1) == 0 and 0 < r and 128 * n * r <= _MAX_MEMORY and 0 < p <= _MAX_P):
        raise ValueError(name)
    scrypt = n, r, p, base64.b64decode(found["salt"]), _bytes(found["hash"], _HASH_BYTES)
    return User(name, entry["role"], scrypt, None)


def _bytes(text, count):
    if not _HEX.fullmatch(text) or len(text) != 2 * count:
        raise ValueError
    return bytes.fromhex(text)


def _shown(user):
    if user.token:
        return {"role": user.role, "token_sha256": user.token.hex()}
    n, r, p, salt, found = user.scrypt
    shown = {"n": n, "r": r, "p": p, "salt": base64.b64encode(salt).decode(), "hash": found.hex()}
    return {"role": user.role, "scrypt": shown}
