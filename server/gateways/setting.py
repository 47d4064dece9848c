"""The declarations of settings: the values of a setting, its default, and the rule that an error message states.

The settings of the server and of all gateways are declared with these classes and functions. Files are read in
server/service/settings.py.
"""

import os
from types import SimpleNamespace

from protocol.credentials import parse_id

PORTS = (1, 65535)


class SettingsError(Exception):
    """Raised for an invalid setting or secret. The text names the place, the rule and the remedy."""


class Setting:
    """One setting: its default, and the values that a file may give it.

    Args: default; kind: type of the values; rule: what a value must be, the end of "NAME = VALUE must be .."; fits:
    function (value of that type) that returns True for what the setting may be, or None for all of the type; is_path:
    True for a path, which in a file is relative to the file's folder.
    """

    def __init__(self, default, kind, rule, fits=None, *, is_path=False):
        self.default = default
        self.kind = kind
        self.rule = rule
        self._fits = fits
        self._is_path = is_path

    def validate(self, name, value):
        """Raises: ValueError that names the setting, the value and the rule."""
        good = isinstance(value, self.kind) and (self.kind is bool or not isinstance(value, bool))
        if not good or self._fits is not None and not self._fits(value):
            raise ValueError(f"{name} = {value!r} must be {self.rule}")

    def placed(self, value, folder):
        """Returns the value for a file in this folder. A relative path is resolved against the folder."""
        return os.path.join(folder, value) if self._is_path and value else value


class _PathOrURLs(Setting):
    def validate(self, name, value):
        """Raises: ValueError, without the value: an address may have a password."""
        try:
            super().validate(name, value)
        except ValueError:
            raise ValueError(f"{name} must be {self.rule}") from None

    def placed(self, value, folder):
        return value if isinstance(value, list) or "://" in value else super().placed(value, folder)


class _PathOrWord(Setting):
    def __init__(self, word, *args, **more):
        super().__init__(*args, **more)
        self._word = word

    def placed(self, value, folder):
        return value if value == self._word else super().placed(value, folder)


class Tables(Setting):
    """The setting of tables by name: each [SECTION.SETTING.NAME] of the file has the same settings. The value is a dict
    from name to the settings of that table, as attributes. The default is none.

    Args: settings: dict from name to Setting; those without a default have None; rule: as that of Setting; a name that
    does not fit is refused by fits: function (name)."""

    def __init__(self, settings, rule, fits=None):
        super().__init__({}, dict, rule, lambda value: all(map(fits or bool, value)))
        self._settings = settings

    def validate(self, name, value):
        """Raises: ValueError that names the table, the setting, the value and the rule."""
        super().validate(name, value)
        for key, table in value.items():
            where = f"{name}.{key}"
            if not isinstance(table, dict):
                raise ValueError(f"{where} = {table!r} must be a table, [..{where}]")
            for item, found in table.items():
                if item not in self._settings:
                    raise ValueError(f"{where} has no setting {item!r}; there are {', '.join(self._settings)}")
                self._settings[item].validate(f"{where}.{item}", found)
            for item, setting in self._settings.items():
                if setting.default is None and item not in table:
                    raise ValueError(f"{where} needs {item}: {setting.rule}")

    def placed(self, value, folder):
        """Returns the value for a file in this folder."""
        return {
            key: SimpleNamespace(
                **{name: setting.default for name, setting in self._settings.items()}
                | {name: self._settings[name].placed(found, folder) for name, found in table.items()}
            )
            for key, table in value.items()
        }


def integer(default, low, high, rule=None):
    """Returns the Setting of an int from low to high."""
    return Setting(default, int, rule or f"{low} to {high}", lambda value: low <= value <= high)


def seconds(default, low, high):
    """Returns the Setting of a whole number of seconds; its name ends in _s."""
    return integer(default, low, high)


def port(default):
    """Returns the Setting of a TCP port."""
    return integer(default, *PORTS, rule="a port from %d to %d" % PORTS)


def boolean(default):
    """Returns the Setting of true or false."""
    return Setting(default, bool, "true or false")


def text(default, rule, fits=None):
    """Returns the Setting of a str. It may be empty if the default is; any other value must fit."""
    return Setting(default, str, rule, _or_empty(default, fits))


def path(default, rule):
    """Returns the Setting of a file's path. It may be empty if the default is."""
    return Setting(default, str, rule, _or_empty(default, None), is_path=True)


def path_or_urls(default, rule):
    """Returns the Setting of a file's path, or of an address with "://" or a list of such: these are taken as they
    are."""
    return _PathOrURLs(default, (str, list), rule, _is_path_or_urls, is_path=True)


def path_or(word, default, rule):
    """Returns the Setting of a file's path, or of this word; a file of that name is given as "./WORD"."""
    return _PathOrWord(word, default, str, rule, _or_empty(default, None), is_path=True)


def choice(*values):
    """Returns the Setting of one of these texts. The first one is the default."""
    return Setting(values[0], str, " or ".join(f'"{one}"' for one in values), values.__contains__)


def host_port(default, rule):
    """Returns the Setting of "HOST:PORT". It may be empty if the default is."""
    return text(default, rule, _is_host_port)


def texts(rule, fits=None):
    """Returns the Setting of a list of texts, each of which must fit. The default is none."""
    return Setting([], list, rule, lambda value: all(isinstance(one, str) and (fits or bool)(one) for one in value))


def client_ids(rule):
    """Returns the Setting of a list of client ids. The default is none."""
    return Setting([], list, rule, _are_ids)


class Secret:
    """A text that is not in the settings file. It comes from a variable of the environment, or from a file of its own.

    Args: variable: its name; file: the setting with the path of the file, which is read each time the secret is used;
    max_bytes: of the secret.
    """

    def __init__(self, variable, file, max_bytes):
        self.variable = variable
        self.file = file
        self.max_bytes = max_bytes


def _or_empty(default, fits):
    if default != "":
        return fits or bool
    return fits and (lambda value: value == "" or fits(value))


def _is_path_or_urls(value):
    return bool(value) and (isinstance(value, str) or all(isinstance(one, str) and "://" in one for one in value))


def _is_host_port(value):
    host, colon, number = value.rpartition(":")
    return bool(host and colon and number.isdecimal() and PORTS[0] <= int(number) <= PORTS[1])


def _are_ids(values):
    try:
        return all(parse_id(one) == one for one in values)
    except (TypeError, ValueError):
        return False
