"""The settings of the section [mqtt] of a settings file. docs/mqtt.md has a table of them."""

from protocol.credentials import parse_id
from server.gateways.interface import Description
from server.gateways.setting import Secret, SettingsError, boolean, client_ids, path, port, seconds, text

TITLE = "the MQTT gateway"
FIRST_CHANNEL, LAST_CHANNEL = 16, 127  # those of applications: docs/channels.md
MAX_PASSWORD = 65535  # bytes: MQTT 5, 3.1.3.6, "Binary Data"


def _is_topic(value):
    """True if the value may precede a topic's levels."""
    return 0 < len(value) <= 64 and value.isprintable() and not set(value) & set("+#") and value.strip("/$ ") == value


def _is_topic_or_empty(value):
    return value == "" or _is_topic(value)


def mapped_channels(words):
    """Returns the channels (set) that the setting names. Raises: ValueError."""
    found = set()
    for part in filter(None, words.replace(" ", "").split(",")):
        first, _, last = part.partition("-")
        low, high = _number(first), _number(last or first)
        if not FIRST_CHANNEL <= low <= high <= LAST_CHANNEL:
            raise ValueError
        found.update(range(low, high + 1))
    return found


def _number(word):
    if not (word.isascii() and word.isdecimal()):
        raise ValueError
    return int(word)


def _are_channels(value):
    try:
        return mapped_channels(value) is not None
    except ValueError:
        return False


def _channels(default):
    return text(default, 'channels from 16 to 127, such as "20, 30-39", or "" for none', _are_channels)


def asked_channels(settings):
    """Returns (set, set): the channels on which MQTT applications ask the clients, and those on which they answer."""
    return mapped_channels(settings.ask_channels), mapped_channels(settings.answer_channels)


def served_sensors(words):
    """Returns the ids (set) of the clients whose sensors the setting names, or None: all. Raises: ValueError."""
    if words == "all":
        return None
    return {parse_id(word.strip()) for word in words.split(",")} if words else set()


def _are_clients(value):
    try:
        served_sensors(value)
    except ValueError:
        return False
    return True


def _reads_channels(settings):
    return {0}.union(mapped_channels(settings.channels), *asked_channels(settings))


def _contradiction(settings):
    both = set.intersection(*asked_channels(settings))
    if both:
        return f"ask_channels and answer_channels both name {min(both)}: one end asks, the other answers"
    strangers = (served_sensors(settings.sensors) or set()) - set(settings.clients or ())
    if settings.clients and strangers:
        return f"sensors names {min(strangers)}, and clients does not: the gateway serves the clients in clients"
    if not settings.tls and (settings.ca_file or settings.cert_file or settings.key_file):
        return "certificates are of use with tls = true only"
    if bool(settings.cert_file) != bool(settings.key_file):
        return "cert_file and key_file belong together: give both, or neither"


DESCRIPTION = Description(
    TITLE,
    {
        "host": text("localhost", "the broker's name or address"),
        "port": port(1883),
        "username": text("", "a text"),
        "password_file": path("", "the path of a file with the password alone"),
        "tls": boolean(False),
        "ca_file": path("", "the path of certificates (PEM) to trust instead of the system's"),
        "cert_file": path("", "the path of a client certificate (PEM)"),
        "key_file": path("", "the path of that certificate's key (PEM)"),
        "prefix": text("pb_link", "a topic of 1 to 64 characters without + and #, such as pb_link", _is_topic),
        "clients": client_ids("a list of client ids, or [] for all of them"),
        "channels": _channels("16-127"),
        "ask_channels": _channels(""),
        "answer_channels": _channels(""),
        "request_s": seconds(30, 1, 86400),
        "sensors": text("", 'ids of clients, such as "mast, pump", or "all", or "" for none', _are_clients),
        "sensors_interval_s": seconds(1, 0, 86400),
        "sensors_forget_s": seconds(604800, 60, 31622400),
        "sensors_commands": boolean(False),
        "discovery": text("homeassistant", 'a topic, or "" for none', _is_topic_or_empty),
        "keepalive_s": seconds(30, 5, 3600),
        "session_s": seconds(604800, 60, 0xFFFFFFFE),
    },
    secrets={"password": Secret("PB_LINK_MQTT_PASSWORD", "password_file", MAX_PASSWORD)},
    extra="mqtt",
    reads="clients",
    reads_channels=_reads_channels,
    contradiction=_contradiction,
    files_per_client=1,
)


def read_password(settings, secrets):
    """Returns the password, or None. secrets: as in Host. Raises: SettingsError, OSError, which do not show it."""
    password = secrets["password"]()
    if password is not None and not settings.username:
        raise SettingsError("there is a password for MQTT and no username: set username in [mqtt]")
    return password
