"""Secrets that come from the environment, as containers have it, and never from a settings file. CPython only.

    PB_LINK_KEYS            the keys, in place of the key file: its JSON
    PB_LINK_METRICS_TOKEN   who wants the metrics has to show it
    PB_LINK_MQTT_PASSWORD   of the server's user at the broker

What is read is taken out of the environment, so that no program the
application starts inherits it. No error and no repr shows a value.
"""

import json
import os
import re

from server.core.keys import load_keys
from server.service.key_file import KeyFile
from server.service.settings import MQTT_PASSWORD, SettingsError

KEYS = "PB_LINK_KEYS"
METRICS_TOKEN = "PB_LINK_METRICS_TOKEN"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,256}=*")  # what may follow "Bearer": RFC 6750, section 2.1


class Secrets:
    """Args: environment: a dict, whose secrets are taken out. Raises: SettingsError that names the variable."""

    def __init__(self, environment=None):
        environment = os.environ if environment is None else environment
        self.mqtt_password = environment.pop(MQTT_PASSWORD, None)
        self.keys = _keys(environment.pop(KEYS, None))  # dict, or None: there is a key file
        self.metrics_token = _token(environment.pop(METRICS_TOKEN, None))


def _keys(text):
    if text is None:
        return None
    try:
        keys = json.loads(text)
    except ValueError:
        keys = None  # this error holds the whole text, and would be the context of one raised here
    if not isinstance(keys, dict):
        raise SettingsError(f"{KEYS} must be JSON that maps ids to keys, as the key file is; or take it away")
    try:
        return load_keys(keys)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{KEYS}: {error}")


def _token(text):
    if text is not None and not _TOKEN.fullmatch(text):
        raise SettingsError(
            f"{METRICS_TOKEN} must be 16 to 256 letters, digits or ._~+/- : "
            "python3 -c 'import secrets; print(secrets.token_urlsafe())' makes one"
        )
    return text


def key_source(settings, secrets):
    """Returns what has the methods of KeyFile."""
    return KeyFile(settings.keys) if secrets.keys is None else KeysOfEnvironment(secrets.keys)


class KeysOfEnvironment:
    """In the place of a KeyFile: nothing can be changed. Args: keys: dict."""

    def __init__(self, keys):
        self._keys = keys

    def read(self):
        return dict(self._keys)

    def stamp(self):
        """It never changes."""
        return None

    def used(self, client_id, key):
        """There is nothing to write: whoever has set the variable takes the old key out of it."""

    def add(self, client_id):
        raise ValueError(f"the keys are in {KEYS}: change it where it is set, and restart the server")

    revoke = rotate = add
