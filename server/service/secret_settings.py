"""Secrets, which are not in the settings file.

    PB_LINK_KEYS            the keys, in place of the key file: its JSON
    PB_LINK_METRICS_TOKEN   the token that a request for the metrics must have

Gateways declare further ones. All are removed from the environment when `pb-link` starts, so that programs that the
application starts do not inherit them. No error and no repr shows a value.
"""

import asyncio
import codecs
import functools
import json
import os
import re

from server.core.keys import load_keys, load_repl
from server.core.shown import quoted
from server.gateways.interface import descriptions
from server.gateways.setting import SettingsError
from server.service.key_file import KeyFile
from server.service.key_table import STORE, KeyTable

KEYS = "PB_LINK_KEYS"
METRICS_TOKEN = "PB_LINK_METRICS_TOKEN"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,256}=*")  # what may follow "Bearer": RFC 6750, section 2.1


class Secrets:
    """The secrets of the environment. Args: environment: a dict. The secrets are removed from it."""

    def __init__(self, environment=None):
        environment = os.environ if environment is None else environment
        of_gateways = [one.variable for gateway in descriptions().values() for one in gateway.secrets.values()]
        self._found = {name: environment.pop(name, None) for name in (KEYS, METRICS_TOKEN, *of_gateways)}

    @property
    def keys(self):
        """Returns the keys as in the key file (dict), or None if they are in the file. Raises: SettingsError."""
        return _keys(self._found[KEYS])

    @property
    def repl(self):
        """Returns the ids (set) whose key in `keys` allows the REPL. Raises: SettingsError."""
        return _keys(self._found[KEYS], load_repl)

    @property
    def metrics_token(self):
        """Returns the token (str), or None. Raises: SettingsError."""
        return _token(self._found[METRICS_TOKEN])

    def validate(self):
        """Check that all secrets are valid. Raises: SettingsError that names the variable with the invalid value."""
        _keys(self._found[KEYS])
        _token(self._found[METRICS_TOKEN])

    def of_gateway(self, name, settings):
        """Returns the secrets of a gateway in the form that Host has. settings: those of its section."""
        declared = descriptions()[name].secrets
        return {key: functools.partial(self._read, name, key, secret, settings) for key, secret in declared.items()}

    def _read(self, section, name, secret, settings):
        """Returns the secret, or None. Raises: SettingsError, OSError."""
        path, value = getattr(settings, secret.file), self._found[secret.variable]
        if not path:
            return value
        if value is not None:
            both = f"both {secret.file} and {secret.variable}"
            raise SettingsError(f"{both} have a {name} for [{section}]: take one away")
        return _read_alone(path, name, secret.max_bytes)


def _read_alone(path, name, max_bytes):
    """Returns the secret from a file that contains nothing else."""
    if os.name == "posix" and os.stat(path).st_mode & 0o077:
        raise SettingsError(f"others can read the {name} in {path}: chmod 600 {quoted(path)}")
    with open(path, "rb") as file:
        data = file.read(max_bytes + len(codecs.BOM_UTF8) + 2)
    try:
        value = data.removeprefix(codecs.BOM_UTF8).decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SettingsError(f"the {name} in {path} is not UTF-8") from None  # the error would show it
    if not 0 < len(value.encode()) <= max_bytes or "\n" in value:
        raise SettingsError(f"{path} must hold the {name} alone, on one line")
    return value


def _keys(text, load=load_keys):
    if text is None:
        return None
    try:
        keys = json.loads(text)
    except (ValueError, RecursionError):
        keys = None  # this error contains the whole text, and would be the context of one raised here
    if not isinstance(keys, dict):
        raise SettingsError(f"{KEYS} must be JSON that maps ids to keys, as the key file is; or take it away")
    try:
        return load(keys)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{KEYS}: {error}")


def _token(text):
    text = text and text.removeprefix("\ufeff")  # a byte order mark, of a file that was read
    if text is not None and not _TOKEN.fullmatch(text):
        raise SettingsError(
            f"{METRICS_TOKEN} must be 16 to 256 letters, digits or ._~+/- : "
            "python3 -c 'import secrets; print(secrets.token_urlsafe())' makes one"
        )
    return text


def key_source(settings, secrets):
    """Returns the source of the keys, an object with the methods of KeyFile; of a table, a KeyTable. Raises:
    SettingsError."""
    if secrets.keys is not None:
        return KeysOfEnvironment(secrets.keys, secrets.repl)
    return KeyTable(settings.store) if settings.keys == STORE else KeyFile(settings.keys)


class KeysOfEnvironment:
    """Keys in place of a KeyFile. They cannot be changed. Args: keys: dict; repl: ids whose key allows the REPL."""

    where = KEYS

    def __init__(self, keys, repl=frozenset()):
        self._keys = keys
        self._repl = repl

    def read(self):
        return dict(self._keys)

    def repl(self):
        return set(self._repl)

    def stamp(self):
        """Returns None: these keys never change."""
        return None

    async def next_look(self):
        """Never returns."""
        await asyncio.get_running_loop().create_future()

    def used(self, client_id, key):
        """Do nothing. The operator removes the old key from the variable."""

    def add(self, *_, **more):
        raise ValueError(f"the keys are in {KEYS}: change it where it is set, and restart the server")

    revoke = rotate = add_all = add
