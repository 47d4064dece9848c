"""The settings of the section [mqtt] of a settings file. docs/mqtt.md has a table of them."""

from server.gateways.interface import Description
from server.gateways.setting import Secret, SettingsError, boolean, client_ids, path, port, seconds, text

TITLE = "the MQTT gateway"
MAX_PASSWORD = 65535  # bytes: MQTT 5, 3.1.3.6, "Binary Data"


def _is_topic(value):
    """True if the value may precede a topic's levels."""
    return 0 < len(value) <= 64 and value.isprintable() and not set(value) & set("+#") and value.strip("/$ ") == value


def _is_topic_or_empty(value):
    return value == "" or _is_topic(value)


def _contradiction(settings):
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
        "discovery": text("homeassistant", 'a topic, or "" for none', _is_topic_or_empty),
        "keepalive_s": seconds(30, 5, 3600),
        "session_s": seconds(604800, 60, 0xFFFFFFFE),
    },
    secrets={"password": Secret("PB_LINK_MQTT_PASSWORD", "password_file", MAX_PASSWORD)},
    extra="mqtt",
    reads="clients",
    contradiction=_contradiction,
    files_per_client=1,
)


def read_password(settings, secrets):
    """Returns the password, or None. secrets: as in Host. Raises: SettingsError, OSError, which do not show it."""
    password = secrets["password"]()
    if password is not None and not settings.username:
        raise SettingsError("there is a password for MQTT and no username: set username in [mqtt]")
    return password
