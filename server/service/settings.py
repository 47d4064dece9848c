"""The settings of `pb-link serve`: a TOML file whose errors name the line and the remedy.

`SETTINGS` are the server's own. Each gateway declares its settings itself: server/gateways/interface.py.
docs/operations.md and the document of each gateway are compared with these lists.
"""

import os
import re
import tomllib
from types import SimpleNamespace

from protocol.errors import LocalProtocolError
from server.core.readers import Readers
from server.core.shown import quoted
from server.gateways import setting as word
from server.gateways.interface import descriptions
from server.gateways.setting import SettingsError


def _is_name(text):
    return len(text) <= 64 and text.isprintable() and text == text.strip()


SETTINGS = {
    "host": word.text("0.0.0.0", "the address to listen on, such as 0.0.0.0"),
    "port": word.port(8123),
    "node": word.text("", "the name of this server among several, 1 to 64 visible characters", _is_name),
    "timeout_ms": word.integer(1500, 200, 3600000, "200 to 3600000, the same as in the clients' settings"),
    "clients": word.client_ids("a list of client ids that the application expects"),
    "keys": word.path_or("store", "keys.json", 'the path of the key file, which pb-link keys makes, or "store"'),
    "store": word.path_or_urls("pb_link.db", "the path of the store, or postgresql://USER@HOST/DATABASE or a list"),
    "inbox_bytes": word.integer(65536, 1, 1 << 30),
    "outbox_bytes": word.integer(65536, 1, 1 << 30),
    "total_bytes": word.integer(1 << 30, 1 << 20, 1 << 40, "1048576 or more"),
    "discard_after_days": word.integer(0, 0, 36500, "0, for never, to 36500"),
    "app": word.text("", "MODULE:Class or MODULE:handler, or nothing"),
    "admin_socket": word.path("pb_link.sock", "the path of the socket for pb-link clients, tail and send"),
    "metrics": word.host_port("", 'HOST:PORT, such as "127.0.0.1:9123", or "" for none'),
    "log": word.choice("text", "json"),
    "log_file": word.path("", "the path of the file for the log, or nothing for stderr"),
}


def at_top():
    """Returns a dict from name to Setting of all that stand outside sections: the server's own, and some gateways'."""
    found = dict(SETTINGS)
    for description in descriptions().values():
        if description.at_top:
            found.update(description.settings)
    return found


def read(path=None, changes=None):
    """Returns the settings as attributes.

    `gateways` is a dict from the name of each enabled gateway to its settings. `keyless` is the set of the ids of
    clients without a key. `path` is the argument.

    Args: path: of a TOML file, or None for the defaults. changes: dict from the command line, with None for options
    that are not given. Raises: SettingsError, OSError.
    """
    settings = at_top()
    values = {name: setting.default for name, setting in settings.items()}
    sections = {}
    if path is not None:
        found, sections = _read_file(path, settings)
        values.update(found)
    for name, value in (changes or {}).items():
        if value is not None:
            _validate(f"--{name.replace('_', '-')}", name, value, settings)
            values[name] = value
    gateways = _gateways(path or "the settings", values, sections)
    return SimpleNamespace(**values, gateways=gateways, keyless=_keyless(gateways), path=path)


def in_full(command, settings):
    """Returns a command that is printed for a user to copy, with the file of these settings: it then acts on the same
    files."""
    return f"{command} --config {quoted(settings.path)}" if settings.path else command


def defaults_of(description):
    """Returns the settings of a gateway that has no section."""
    return SimpleNamespace(**{key: setting.default for key, setting in description.settings.items()})


def reserve_lines(readers, gateways):
    """Reserve each gateway's clients in a Readers. gateways: as `read` returns them.

    Raises: LocalProtocolError if two gateways would read one client's lines.
    """
    known = descriptions()
    for name, settings in gateways.items():
        if known[name].reads:
            ids, channels = getattr(settings, known[name].reads) or None, known[name].reads_channels(settings)
            readers.reserve(known[name].title, ids, channels)


def _gateways(where, values, sections):
    """Returns the enabled gateways. values: of the top level; a gateway's values are removed from it."""
    found = {}
    for name, description in descriptions().items():
        if name in sections:
            found[name] = sections[name]
        elif description.at_top:
            own = SimpleNamespace(**{key: values.pop(key) for key in description.settings})
            if any(getattr(own, key) != setting.default for key, setting in description.settings.items()):
                _refuse(where, description.contradiction(own))
                found[name] = own
    for name, own in found.items():
        _refuse(where, descriptions()[name].lacking(own, found))
    try:
        reserve_lines(Readers(), found)
    except LocalProtocolError as error:
        raise SettingsError(f"{where}: {error}")
    return found


def _keyless(gateways):
    known = descriptions()
    return {one for name, own in gateways.items() if known[name].keyless for one in getattr(own, known[name].keyless)}


def _refuse(where, fault):
    if fault:
        raise SettingsError(f"{where}: {fault}")


def _read_file(path, settings):
    """Returns a dict of the top-level settings, and a dict from section to its settings as attributes."""
    try:
        with open(path, encoding="utf-8-sig") as file:  # editors may put a byte order mark before it
            text = file.read()
        found = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}, line {line}: it is not UTF-8: {error.reason}")
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}")
    except ValueError as error:  # a number of more digits than Python takes
        raise SettingsError(f"{path}: {error}") from None
    except RecursionError:
        raise SettingsError(f"{path}: brackets within brackets, too many of them") from None
    folder = os.path.dirname(os.path.abspath(path))
    known = {name: description for name, description in descriptions().items() if not description.at_top}
    tables = {name: found.pop(name) for name in known if name in found}
    found = _validated(path, text, folder, "", found, settings, _listed(known))
    sections = {name: _read_section(path, text, folder, name, table, known[name]) for name, table in tables.items()}
    return found, sections


def _listed(names):
    shown = [f"[{name}]" for name in names]
    return f" and the section{'s' if len(shown) > 1 else ''} {', '.join(shown)}" if shown else ""


def _read_section(path, text, folder, name, found, description):
    where = f"{path}, line {_line_of(text, name)}"
    if not isinstance(found, dict):
        raise SettingsError(f"{where}: {name} must be a section, [{name}]")
    for secret in description.secrets.keys() & found.keys():  # its value is not for a log
        remedy = f"use {description.secrets[secret].file}, or the variable {description.secrets[secret].variable}"
        raise SettingsError(f"{path}, line {_line_of(text, secret, name)}: no {secret} belongs here: {remedy}")
    found = _validated(path, text, folder, name, found, description.settings)
    settings = SimpleNamespace(**vars(defaults_of(description)) | found)
    _refuse(where, description.contradiction(settings))
    return settings


def _validated(path, text, folder, section, found, settings, more=""):
    """Returns the found settings, with absolute paths. more: text for the errors that names other possible settings."""
    for name, value in found.items():
        where = f"{path}, line {_line_of(text, name, section)}"
        if name not in settings:
            raise SettingsError(f"{where}: there is no setting {name!r}; there are {', '.join(settings)}{more}")
        _validate(where, name, value, settings)
    return {name: settings[name].placed(value, folder) for name, value in found.items()}


def _validate(where, name, value, settings):
    try:
        settings[name].validate(name, value)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from None


def _line_of(text, name, section=""):
    """Returns the line on which a setting is given, or that of its section if it cannot be found."""
    lines = text.splitlines()
    header = 0
    if section:
        header = _line_of(text, section) - 1
        lines = lines[header:]
    given = re.compile(rf"""^\s*(\[+\s*)?({section or "$^"}\s*\.\s*)?["']?{re.escape(name)}["']?\s*[\]=.]""")
    found = [number for number, line in enumerate(lines, header + 1) if given.match(line)]
    return found[0] if found else header + 1
