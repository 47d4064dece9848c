"""The settings of the section [i2c] of a settings file. docs/remote-i2c.md has a table of them."""

import os

from remote_i2c.addresses import parse_addresses
from remote_i2c.bus import TRANSFER_MS
from remote_i2c.providers import SIM, check_spec
from remote_i2c.shared import HOLD_MS, MAX_HOLD_MS, MAX_WAIT_MS, WAIT_MS
from server.gateways.interface import Description
from server.gateways.setting import Secret, Setting, Tables, boolean, host_port, integer, path, text, texts

TITLE = "the I2C buses"
MAX_TOKEN = 256  # bytes
# Of a bus. It is a part of addresses of both doors.
MAX_NAME = 32


class _Spec(Setting):
    """What a bus is: a text of remote_i2c/providers.py."""

    def __init__(self):
        super().__init__(None, str, '"/dev/i2c-1", "client:ID:BUS" or "sim:FILE"', _is(check_spec))

    def placed(self, value, folder):
        if value.startswith(SIM):
            return SIM + os.path.join(folder, value.removeprefix(SIM))
        return value


def _is(parse):
    """Returns the function that says whether a text can be parsed."""

    def fits(value):
        try:
            parse(value)
        except ValueError:
            return False
        return True

    return fits


def _is_name(name):
    return 0 < len(name) <= MAX_NAME and name.isascii() and name.replace("-", "").replace("_", "").isalnum()


def _contradiction(settings):
    for door in ("smbus", "web"):
        if bool(getattr(settings, f"{door}_certificate")) != bool(getattr(settings, f"{door}_key")):
            return f"{door}_certificate and {door}_key belong together: give both, or neither"
    if not settings.buses:
        return "there is no bus: add one as [i2c.buses.1], with bus and addresses"
    if settings.web_chirimen and not settings.web_listen:
        return "web_chirimen is a part of Web I2C: give web_listen too"
    if settings.web_chirimen_bus and settings.web_chirimen_bus not in settings.buses:
        return f"web_chirimen_bus = {settings.web_chirimen_bus!r} is none of the buses {', '.join(settings.buses)}"


DESCRIPTION = Description(
    TITLE,
    {
        "buses": Tables(
            {
                "bus": _Spec(),
                "addresses": text(
                    "", 'the addresses that may be used, such as "0x48, 0x20-0x27" or "all"', _is(parse_addresses)
                ),
                "hold_ms": integer(HOLD_MS, 10, MAX_HOLD_MS),
                "wait_ms": integer(WAIT_MS, 0, MAX_WAIT_MS),
                "timeout_ms": integer(TRANSFER_MS, 10, MAX_HOLD_MS),
            },
            f"tables by name, [i2c.buses.1]; a name has up to {MAX_NAME} letters, digits, - and _",
            _is_name,
        ),
        "smbus_listen": host_port("", 'HOST:PORT for SMBus over gRPC, such as "127.0.0.1:50051", or "" for none'),
        "smbus_token_file": path("", "the path of a file with the token alone"),
        "smbus_certificate": path("", "the path of a file, PEM, with the chain behind it"),
        "smbus_key": path("", "the path of a file, PEM"),
        "smbus_expiry_s": integer(5, 1, 3600),
        "web_listen": host_port("", 'HOST:PORT for Web I2C, such as "127.0.0.1:8080", or "" for none'),
        "web_token_file": path("", "the path of a file with the token alone"),
        "web_certificate": path("", "the path of a file, PEM, with the chain behind it"),
        "web_key": path("", "the path of a file, PEM"),
        "web_plain": boolean(False),
        "web_origins": texts('a list of origins of pages, such as ["https://desk.example"]'),
        "web_hosts": texts("a list of names by which the door may be asked for"),
        "web_chirimen": host_port("", 'HOST:PORT for CHIRIMEN\'s protocol, such as "127.0.0.1:33330", or "" for none'),
        "web_chirimen_bus": text("", "the name of one of the buses"),
    },
    secrets={
        "smbus_token": Secret("PB_LINK_SMBUS_TOKEN", "smbus_token_file", MAX_TOKEN),
        "web_token": Secret("PB_LINK_WEB_TOKEN", "web_token_file", MAX_TOKEN),
    },
    contradiction=_contradiction,
    on_request=True,
)
